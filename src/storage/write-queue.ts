/**
 * Operations that come together (before a microtask has run) or wait while others are in flight leave
 * together, as one statement with one commit. Where nothing waits, an operation leaves at once. While a
 * put is in flight, its thread's other operations wait: the next put would only wait for the thread's row
 * lock, and what a step wrote leaves with the put that ends it. Writes to one row keep their order.
 */
// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
import { DatabaseError } from "../errors.ts";
import type { Database } from "../postgres/database.ts";
import { executeOne, isLarge } from "./slices.ts";
import { rowKeys, takeBatch, type Waiting } from "./write-batch.ts";
import { execute } from "./write-execute.ts";
import type { Outcome, WriteOperation } from "./write-operation.ts";
import type { WriteStatements } from "./write-statements.ts";

export interface WriteQueue {
  submit(operation: WriteOperation): Promise<Outcome | undefined>;
}

interface Submitted extends Waiting {
  readonly resolve: (outcome: Outcome | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** More statements at a time would only make smaller batches: the server's commits are what is waited for. */
const MAX_IN_FLIGHT = 4;

export function createWriteQueue(database: Database, statements: WriteStatements): WriteQueue {
  const waiting: Submitted[] = [];
  const limit = Math.max(1, Math.min(MAX_IN_FLIGHT, database.pool.options?.max ?? MAX_IN_FLIGHT));
  const busy = { threads: new Set<string>(), rows: new Set<string>() };
  let inFlight = 0;
  let willPump = false;

  const pump = (): void => {
    willPump = false;
    while (inFlight < limit && waiting.length > 0) {
      const batch = takeBatch(waiting, busy);
      if (batch.length === 0) return;
      for (const { operation, keys } of batch) {
        if (operation.checkpoint !== null) busy.threads.add(operation.threadId);
        for (const key of keys) busy.rows.add(key);
      }
      inFlight += 1;
      void send(batch).finally(() => {
        for (const { operation, keys } of batch) {
          if (operation.checkpoint !== null) busy.threads.delete(operation.threadId);
          for (const key of keys) busy.rows.delete(key);
        }
        inFlight -= 1;
        // Whoever waited for the answer has its next operation ready by then, and it can come along.
        if (waiting.length > 0) setImmediate(pump);
      });
    }
  };

  const run = async (operations: readonly WriteOperation[]): Promise<(Outcome | undefined)[]> => {
    const [first] = operations;
    // It never has company: a batch is full before it is so large.
    if (first === undefined || operations.length > 1 || !isLarge(first)) {
      return execute(database, statements, operations);
    }
    return [await database.transaction((tx) => executeOne(tx, statements, first))];
  };

  /** Tells the callers what came of it; or returns why nothing did, and they are to be told still. */
  const attempt = async (batch: readonly Submitted[]): Promise<{ why: unknown } | undefined> => {
    try {
      const outcomes = await run(batch.map(({ operation }) => operation));
      batch.forEach((one, i) => {
        one.resolve(outcomes[i]);
      });
      return undefined;
    } catch (why) {
      return { why };
    }
  };

  const send = async (batch: readonly Submitted[]): Promise<void> => {
    const failure = await attempt(batch);
    if (failure === undefined) return;
    // One bad row, or a thread that somebody has locked, fails its own operations, not its neighbours'.
    if (batch.length > 1 && mayBeOfOne(failure.why)) {
      await Promise.all(byThread(batch).map(sendEach));
    } else for (const one of batch) one.reject(failure.why);
  };

  /** Operations of one thread, in their order. Where one was not answered in time, the next would wait as long. */
  const sendEach = async (operations: readonly Submitted[]): Promise<void> => {
    let outage: { why: unknown } | undefined;
    for (const one of operations) {
      const failure = outage ?? (await attempt([one]));
      if (failure === undefined) continue;
      one.reject(failure.why);
      if (!isRefusal(failure.why)) outage = failure;
    }
  };

  return {
    submit: (operation) =>
      new Promise((resolve, reject) => {
        waiting.push({ operation, keys: rowKeys(operation), resolve, reject });
        if (willPump) return;
        willPump = true;
        // Those who waited for one thing come one after the other: the thread's first put, say.
        void Promise.resolve().then(pump);
      }),
  };
}

/** Whether the server, or what packs rows for it, refused this and could still take others. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.code === "DATABASE_ERROR";
}

/** Whether one of the operations may have failed all of them, and not the server or the way to it. */
function mayBeOfOne(error: unknown): boolean {
  return isRefusal(error) || (error as DatabaseError).code === "DEADLINE_EXCEEDED";
}

function byThread(batch: readonly Submitted[]): Submitted[][] {
  const threads = new Map<string, Submitted[]>();
  for (const one of batch) {
    const { threadId } = one.operation;
    const operations = threads.get(threadId);
    if (operations) operations.push(one);
    else threads.set(threadId, [one]);
  }
  return [...threads.values()];
}
