/**
 * Operations that come together (before a microtask has run) or wait while others are in flight leave
 * together, as one statement with one commit. Where nothing waits, an operation leaves at once. While a
 * put is in flight, its thread's other operations wait: the next put would only wait for the thread's row
 * lock, and what a step wrote leaves with the put that ends it. Writes to one row keep their order. Threads that
 * were waited for in vain leave apart from the others, and leave one connection to them, where there are several.
 */
// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
import type { Database } from "../postgres/database.ts";
import { isHopeless, type Part, partsOf, type Split, waitedTooLong } from "./failed-batch.ts";
import { weightOf } from "./message-limit.ts";
import { recentThreads } from "./recent-threads.ts";
import { executeOne, isLarge } from "./slices.ts";
import { rowKeys, type Slow, takeBatch, type Waiting } from "./write-batch.ts";
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
  /** Until they take what waits for the lock of a put. */
  const slowThreads = recentThreads();
  const limitOfSlow = Math.max(1, limit - 1);
  let inFlight = 0;
  let slowInFlight = 0;
  let willPump = false;
  const slow: Slow = {
    has: ({ operation, part }) => part?.of.isLate === true || slowThreads.has(operation.threadId),
    mayLeave: () => slowInFlight < limitOfSlow,
  };

  const pump = (): void => {
    willPump = false;
    while (inFlight < limit && waiting.length > 0) {
      const batch = takeBatch(waiting, busy, slow);
      const [first] = batch;
      if (first === undefined) return;
      const slowOnes = slow.has(first) ? 1 : 0;
      for (const { operation, keys } of batch) {
        if (operation.checkpoint !== null) busy.threads.add(operation.threadId);
        for (const key of keys) busy.rows.add(key);
      }
      inFlight += 1;
      slowInFlight += slowOnes;
      void send(batch).finally(() => {
        for (const { operation, keys } of batch) {
          if (operation.checkpoint !== null) busy.threads.delete(operation.threadId);
          for (const key of keys) busy.rows.delete(key);
        }
        inFlight -= 1;
        slowInFlight -= slowOnes;
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

  const send = async (batch: readonly Submitted[]): Promise<void> => {
    const split = batch[0]?.part?.of;
    try {
      const outcomes = await run(batch.map(({ operation }) => operation));
      // Pending writes pass locks that a put would wait for.
      const proves = batch.some(({ operation }) => operation.kind !== "writesKnown");
      batch.forEach((one, i) => {
        const outcome = outcomes[i];
        // What does not hold any more is refused without waiting for the lock.
        if (proves && outcome !== undefined) slowThreads.note(one.operation.threadId, false);
        one.resolve(outcome);
      });
      if (split) split.taken += 1;
    } catch (error) {
      const isLate = waitedTooLong(error);
      const parts = partsOf(batch, error);
      if (parts !== undefined) {
        const of = { isLate, taken: 0, late: 0 };
        waiting.unshift(...parts.flatMap((part) => apart(part, { of })));
        return;
      }
      for (const one of batch) {
        if (isLate) slowThreads.note(one.operation.threadId, true);
        one.reject(error);
      }
      if (split && isHopeless(split, error)) rejectRest(split, error);
    }
  };

  const rejectRest = (split: Split, error: unknown): void => {
    for (let i = 0; i < waiting.length; ) {
      const one = waiting[i] as Submitted;
      if (one.part?.of !== split) {
        i += 1;
        continue;
      }
      waiting.splice(i, 1);
      // It was not asked: the thread may be free by now.
      slowThreads.note(one.operation.threadId, false);
      one.reject(error);
    }
  };

  return {
    submit: (operation) =>
      new Promise((resolve, reject) => {
        const weight = weightOf(operation);
        waiting.push({ operation, keys: rowKeys(operation), weight, resolve, reject });
        if (willPump) return;
        willPump = true;
        // Those who waited for one thing come one after the other: the thread's first put, say.
        void Promise.resolve().then(pump);
      }),
  };
}

/** A part of a batch that failed leaves by itself. */
function apart(operations: readonly Submitted[], part: Part): Submitted[] {
  return operations.map((one) => ({ ...one, part }));
}
