/**
 * A process that runs graphs and may be killed at any moment. It takes one order from its parent, notes in a file
 * what it did, and ends.
 */
import { appendFileSync } from "node:fs";
import { createPool } from "../../src/index.ts";
import type { Durability } from "../langgraph/graphs/graph.ts";
import { type Journal, JournalingSaver, type Moment, recordIn } from "./journal.ts";
import { type PlayName, perform } from "./plays.ts";

export interface Run {
  readonly thread: string;
  readonly play: PlayName;
  readonly durability: Durability;
}

/** Where the process kills itself with SIGKILL: at the n-th such moment, or that many milliseconds after it. */
export interface Death {
  readonly at: Moment | "any";
  readonly count: number;
  readonly delay?: number;
}

export interface WorkOrder {
  readonly connString: string;
  readonly schema: string;
  readonly journal: string;
  readonly runs: readonly Run[];
  readonly death?: Death;
}

export interface Ended {
  readonly thread: string;
  readonly values: unknown;
}

export type Message =
  | { readonly kind: "ready" | "begun" }
  | { readonly kind: "ended"; readonly results: readonly Ended[] };

const tell = (message: Message): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });

async function work(order: WorkOrder): Promise<void> {
  let left = order.death?.count ?? Number.POSITIVE_INFINITY;
  const die = (): void => void process.kill(process.pid, "SIGKILL");
  const journal: Journal = {
    // One write to a file opened for appending: whole, in order, and it outlives the process.
    add: (entry) => appendFileSync(order.journal, `${JSON.stringify(entry)}\n`),
    at(moment) {
      const { death } = order;
      if (death === undefined || (death.at !== "any" && death.at !== moment)) return;
      left -= 1;
      if (left !== 0) return;
      if (death.delay === undefined) die();
      else setTimeout(die, death.delay);
    },
  };
  const pool = createPool({ connString: order.connString, maxConns: 4 });
  const checkpointer = new JournalingSaver(pool, undefined, { schema: order.schema });
  checkpointer.journal = journal;
  await tell({ kind: "begun" });
  const results = await Promise.all(
    order.runs.map(async ({ thread, play, durability }) => {
      const config = { configurable: { thread_id: thread }, durability };
      const values = await perform(play, { checkpointer, record: recordIn(journal) }, config);
      return { thread, values };
    }),
  );
  await tell({ kind: "ended", results });
  await pool.end();
  process.disconnect();
}

process.once("message", (order: WorkOrder) => {
  // Nothing of a run may be left behind unhandled; the parent sees the exit code.
  work(order).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
});
await tell({ kind: "ready" });
