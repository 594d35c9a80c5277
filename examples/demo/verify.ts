/** What must be true after the demo. Judged by what lies outside the database, and by a fresh process's look into it. */
import type { Audit } from "./events.ts";
import type { Entry } from "./journal.ts";

export interface Evidence {
  /** The task that was running when its process was killed. */
  readonly interrupted: string;
  readonly signal: NodeJS.Signals | null;
  /** Where the process that took over stopped. */
  readonly stoppedAt: readonly string[];
  readonly journal: readonly Entry[];
  readonly audit: Audit;
}

export interface Check {
  readonly claim: string;
  /** What speaks against it; nothing, if it holds. */
  readonly problems: readonly string[];
}

export function verify({ interrupted, signal, stoppedAt, journal, audit }: Evidence): Check[] {
  const runs = new Map<string, string[]>();
  for (const { node, name, process } of journal) {
    const task = `${node} ${name}`;
    runs.set(task, [...(runs.get(task) ?? []), process]);
  }
  const kept = new Set(audit.receipts);
  const made = new Set(journal.map(({ receipt }) => receipt));
  return [
    {
      claim: `A was killed by SIGKILL while ${interrupted} was running`,
      problems: [
        ...(signal === "SIGKILL" ? [] : ["it ended in another way"]),
        ...(runs.get(`tool ${interrupted}`)?.includes("A") ? ["it had finished already"] : []),
      ],
    },
    {
      claim: `${runs.size} pieces of work were finished, each of them once`,
      problems: [...runs]
        .filter(([, processes]) => processes.length > 1)
        .map(([task, processes]) => `${task} ran in ${processes.join(" and in ")}`),
    },
    {
      claim: "the results of all of them are in the agent's state",
      problems: [
        ...journal
          .filter(({ receipt }) => !kept.has(receipt))
          .map(({ node, name, process }) => `what ${node} ${name} did in ${process} is lost`),
        ...audit.receipts
          .filter((receipt) => !made.has(receipt))
          .map((receipt) => `nobody made ${receipt}`),
        ...(kept.size < audit.receipts.length ? ["a result is there twice"] : []),
      ],
    },
    {
      claim: `${audit.history.length} checkpoints lead there, none missing, none going back`,
      problems: audit.history.flatMap((checkpoint, i) => {
        const before = audit.history[i - 1];
        return [
          ...(checkpoint.step === i - 1 ? [] : [`step ${i - 1} is missing`]),
          ...(before?.receipts.every((receipt, at) => checkpoint.receipts[at] === receipt) === false
            ? [`step ${checkpoint.step} has forgotten what was done before`]
            : []),
        ];
      }),
    },
    {
      claim: "B waited for the human, C was told and finished",
      problems: [
        ...(stoppedAt.join() === "approval"
          ? []
          : [`B stopped at ${stoppedAt.join() || "the end"}`]),
        ...(runs.get("approval issue_refund")?.join() === "C" ? [] : ["the approval was not C's"]),
        ...(audit.next.length === 0 ? [] : [`the thread still waits for ${audit.next.join()}`]),
      ],
    },
  ];
}
