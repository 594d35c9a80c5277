/** The demo's judgement, shown what must not pass. */
import { expect, test } from "vitest";
import type { Entry } from "../../examples/demo/journal.ts";
import { type Evidence, verify } from "../../examples/demo/verify.ts";

const entry = (process: string, step: number, node: string, name: string): Entry => ({
  process,
  step,
  node,
  name,
  receipt: `${process}${step}${name}`,
});

const journal = [
  entry("A", 1, "model", "turn 1"),
  entry("A", 2, "tool", "check_stock"),
  entry("B", 2, "tool", "ask_carrier"),
  entry("C", 3, "approval", "issue_refund"),
];
const receipts = journal.map(({ receipt }) => receipt);

const good: Evidence = {
  interrupted: "ask_carrier",
  signal: "SIGKILL",
  stoppedAt: ["approval"],
  journal,
  audit: {
    next: [],
    lastMessage: "Done.",
    receipts,
    history: [
      { step: -1, receipts: [] },
      { step: 0, receipts: [] },
      { step: 1, receipts: receipts.slice(0, 1) },
      { step: 2, receipts: receipts.slice(0, 3) },
      { step: 3, receipts },
    ],
    postgres: "18.0",
  },
};

const problems = (evidence: Evidence): string[] =>
  verify(evidence).flatMap((check) => check.problems);

test("nothing speaks against a run in which all went well", () => {
  expect(problems(good)).toEqual([]);
});

const again = entry("B", 2, "tool", "check_stock");
const { audit } = good;

test.each<[string, Partial<Evidence>, string]>([
  [
    "a finished task ran again",
    {
      journal: [...journal, again],
      audit: { ...audit, receipts: [...receipts, again.receipt] },
    },
    "tool check_stock ran in A and in B",
  ],
  [
    "a result is lost",
    { audit: { ...audit, receipts: receipts.filter((_, i) => i !== 1) } },
    "what tool check_stock did in A is lost",
  ],
  [
    "a result is there twice",
    { audit: { ...audit, receipts: [...receipts, ...receipts.slice(0, 1)] } },
    "a result is there twice",
  ],
  ["a result is nobody's", { audit: { ...audit, receipts: [...receipts, "X"] } }, "nobody made X"],
  [
    "a checkpoint is missing",
    { audit: { ...audit, history: audit.history.filter(({ step }) => step !== 1) } },
    "step 1 is missing",
  ],
  [
    "a checkpoint has forgotten",
    { audit: { ...audit, history: [...audit.history, { step: 4, receipts: [] }] } },
    "step 4 has forgotten what was done before",
  ],
  ["the process ended by itself", { signal: null }, "it ended in another way"],
  [
    "the killed task had finished",
    { journal: [...journal, entry("A", 2, "tool", "ask_carrier")] },
    "it had finished already",
  ],
  ["nobody was asked", { stoppedAt: [] }, "B stopped at the end"],
  [
    "the thread did not end",
    { audit: { ...audit, next: ["model"] } },
    "the thread still waits for model",
  ],
])("%s: it says so", (_, change, complaint) => {
  expect(problems({ ...good, ...change })).toContain(complaint);
});
