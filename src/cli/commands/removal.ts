/** prune, cleanup, delete: what destroys counts first, then asks. */
import type { Command } from "commander";
import { InvalidOptionError } from "../../errors.ts";
import type { Duration } from "../../options.ts";
import type { PruneOptions } from "../../retention/prune-options.ts";
import { count, examples, several } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { bytes, counted } from "../output.ts";
import { withBar } from "../progress-bar.ts";
import { withStore } from "../run.ts";

interface PruneFlags {
  readonly thread?: string[];
  readonly olderThan?: Duration;
  readonly all?: true;
  readonly keepLast?: number;
  readonly strategy?: "keep_latest" | "delete";
  readonly removeSubgraphRuns?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

export function addRemovalCommands(program: Command): void {
  examples(
    program
      .command("prune")
      .description(
        "remove old checkpoints, and what only they needed; says which and how many, and asks",
      )
      .option("--thread <id>", "this thread; may be repeated", several)
      .option(
        "--older-than <duration>",
        'threads that were last written to longer ago, such as "30d"',
      )
      .option("--all", "every thread")
      .option("--keep-last <n>", "keep the newest so many checkpoints of each namespace", count)
      .option("--strategy <name>", "keep_latest, or delete: remove the threads altogether")
      .option("--remove-subgraph-runs", "remove runs of subgraphs that no kept checkpoint leads to")
      .option("--dry-run", "only count what would go")
      .option("--yes", "do not ask")
      .action((flags: PruneFlags, command: Command) => prune(flags, command)),
    "prune --older-than 30d --keep-last 10",
    "prune --older-than 1d --strategy delete --dry-run",
  );
  examples(
    program
      .command("cleanup")
      .description("remove what has expired: it is invisible already; this gives its space back")
      .option("--batch <n>", "threads that one transaction may remove", count, 100)
      .option("--yes", "do not ask")
      .action((flags: { batch: number; yes?: true }, command: Command) => cleanup(flags, command)),
    "cleanup --yes",
  );
  examples(
    program
      .command("delete")
      .description("delete threads with all that they hold, or what runs left in any thread")
      .argument("[threads...]", "ids of threads")
      .option("--run <id>", "a run whose checkpoints are to go instead; may be repeated", several)
      .option("--yes", "do not ask")
      .action((threads: string[], flags: { run?: string[]; yes?: true }, command: Command) =>
        remove(threads, flags, command),
      ),
    "delete 42 43",
    "delete --run 0f9d6c1e-6f4e-4b57-9a63-5f2f9c3c1c11",
  );
}

const AGAIN = "What was removed is gone, all else is whole. To go on, run the same command again.";

function prune(flags: PruneFlags, command: Command): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      const { prune: run } = await import("../../retention/prune.ts");
      const options: PruneOptions = {
        ...(flags.thread ? { threads: flags.thread } : {}),
        ...(flags.olderThan ? { olderThan: flags.olderThan } : {}),
        ...(flags.all ? { all: true } : {}),
        ...(flags.keepLast ? { keepLast: flags.keepLast } : {}),
        ...(flags.strategy ? { strategy: flags.strategy } : {}),
        ...(flags.removeSubgraphRuns ? { subgraphRuns: "remove" as const } : {}),
        signal,
      };
      const go = (dryRun: boolean) =>
        withBar(out, "threads", (bar) =>
          run(storage, {
            ...options,
            dryRun,
            onProgress: ({ examined, total }) => bar.at(examined, total),
          }),
        );
      let report = await go(true);
      const amount = (): string =>
        `${counted(report.checkpoints, "checkpoint")} of ${counted(report.threads, "thread")}, with ${counted(report.writes, "pending write")}, ${counted(report.values, "value")} and ${counted(report.chunks, "chunk")}: ${bytes(report.bytes)}`;
      if (!flags.dryRun && report.threads > 0) {
        await confirm(`This removes ${amount()}.`, { yes: flags.yes, signal });
        report = await go(false);
      }
      out.data(report, () =>
        flags.dryRun
          ? `Would remove ${amount()}.`
          : report.threads === 0
            ? "Nothing to remove."
            : `Removed ${amount()}.`,
      );
    },
    { resume: AGAIN },
  );
}

function cleanup({ batch, yes }: { batch: number; yes?: true }, command: Command): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      const { cleanupExpired } = await import("../../retention/expiry.ts");
      const { statsStatements } = await import("../../threads/stats-statements.ts");
      const [row] = await storage.database.execute(statsStatements(storage.names).expired, []);
      const [threads, checkpoints] = [Number(row?.[0]), Number(row?.[1])];
      if (threads + checkpoints > 0) {
        await confirm(
          `${counted(threads, "thread")} and ${counted(checkpoints, "checkpoint")} have expired; they are removed for good.`,
          { yes, signal },
        );
      }
      const report = await cleanupExpired(storage, { batch, signal });
      out.data(
        report,
        () =>
          `Removed ${counted(report.threads, "thread")} and ${counted(report.checkpoints, "checkpoint")}.`,
      );
    },
    { resume: AGAIN },
  );
}

function remove(
  threads: readonly string[],
  { run, yes }: { run?: string[]; yes?: true },
  command: Command,
): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      if ((threads.length === 0) === (run === undefined)) {
        throw new InvalidOptionError(
          "Name either threads, or runs with --run. Nothing was deleted.",
        );
      }
      const { deleteForRuns, deleteThreads } = await import("../../threads/delete-threads.ts");
      if (run) {
        await confirm(
          `This deletes the checkpoints of ${counted(run.length, "run")} in all threads.`,
          { yes, signal },
        );
      } else {
        const { countThread } = await import("../../retention/remove-thread.ts");
        let found = 0;
        let checkpoints = 0;
        for (const thread of threads) {
          const held = await countThread(storage, thread);
          if (held) found += 1;
          checkpoints += held?.checkpoints ?? 0;
        }
        if (found === 0) {
          const { CheckpointNotFoundError } = await import("../../errors.ts");
          throw new CheckpointNotFoundError(
            `There is no such thread in ${storage.names.checkpoints}. Nothing was deleted.`,
          );
        }
        await confirm(
          `This deletes ${counted(found, "thread")} with ${counted(checkpoints, "checkpoint")}.`,
          { yes, signal },
        );
      }
      const report = run
        ? await deleteForRuns(storage, run, { signal })
        : await deleteThreads(storage, threads, { signal });
      out.data(
        report,
        () =>
          `Deleted ${counted(report.checkpoints, "checkpoint")} of ${counted(report.threads, "thread")}: ${bytes(report.bytes)}.`,
      );
    },
    { resume: AGAIN },
  );
}
