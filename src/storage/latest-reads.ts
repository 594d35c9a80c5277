/**
 * Reads of the latest checkpoint that come while others are under way leave together, as one statement. The first one
 * leaves at once; the others when the event loop turns, so that nobody waits for an answer to another's question.
 */
// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
import { DatabaseError, ThreadConflictError } from "../errors.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Executor, Row } from "../postgres/database.ts";
import type { ReadStatements } from "./read-statements.ts";

/** The rows of the latest checkpoint of a namespace, by its name in the tables. */
export type LatestReads = (threadId: string, namespace: string) => Promise<Row[]>;

interface Waiting {
  readonly threadId: string;
  readonly namespace: string;
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads of one statement, so that its answer stays small. */
const MAX_READS = 32;

export function createLatestReads(
  executor: Executor,
  { latest, latestOfEach }: Pick<ReadStatements, "latest" | "latestOfEach">,
): LatestReads {
  let waiting: Waiting[] = [];
  let underWay = 0;

  const one: LatestReads = (threadId, namespace) => executor.execute(latest, [threadId, namespace]);

  const each = async (reads: readonly Waiting[]): Promise<Row[][]> => {
    const [first] = reads;
    if (first !== undefined && reads.length === 1)
      return [await one(first.threadId, first.namespace)];
    const rows = await executor.execute(latestOfEach, [
      textArray(reads.map(({ threadId }) => threadId)),
      textArray(reads.map(({ namespace }) => namespace)),
    ]);
    return apart(rows, reads);
  };

  const send = async (reads: readonly Waiting[]): Promise<void> => {
    underWay += 1;
    try {
      const answers = await each(reads);
      reads.forEach(({ resolve }, i) => {
        resolve(answers[i] as Row[]);
      });
    } catch (error) {
      if (reads.length > 1 && mayBeOfOne(error)) for (const read of reads) void send([read]);
      else for (const { reject } of reads) reject(error);
    } finally {
      underWay -= 1;
    }
  };

  const sendAll = (): void => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += MAX_READS) void send(all.slice(at, at + MAX_READS));
  };

  return (threadId, namespace) =>
    new Promise((resolve, reject) => {
      const read = { threadId, namespace, resolve, reject };
      if (underWay === 0) {
        void send([read]);
        return;
      }
      waiting.push(read);
      if (waiting.length === 1) setImmediate(sendAll);
    });
}

/** Whether one of the reads may have failed all of them, and not the server or the way to it. */
function mayBeOfOne(error: unknown): boolean {
  return (
    error instanceof ThreadConflictError ||
    (error instanceof DatabaseError && error.code === "DATABASE_ERROR")
  );
}

/** The rows of one answer by the reads that they belong to. */
function apart(rows: readonly Row[], reads: readonly Waiting[]): Row[][] {
  const answers: Row[][] = reads.map(() => []);
  const threads = new Map<string | null | undefined, Row>();
  for (const row of rows) {
    if (row[0] === "thread") threads.set(row[2], row);
    else answers[Number(row[1]) - 1]?.push(row);
  }
  reads.forEach(({ threadId }, i) => {
    const thread = threads.get(threadId);
    if (thread) answers[i]?.push(thread);
  });
  return answers;
}
