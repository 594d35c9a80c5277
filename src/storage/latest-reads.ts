/**
 * Reads of the latest checkpoint that come while others are under way leave together, as one statement: the first one
 * at once, the others when the event loop turns, so that none waits for an answer before it is asked.
 */
// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
import { DatabaseError } from "../errors.ts";
import { textArray } from "../postgres/arrays.ts";
import { isWatched } from "../postgres/connections.ts";
import type { Database, Row } from "../postgres/database.ts";
import type { ReadStatements } from "./read-statements.ts";
import { recentThreads } from "./recent-threads.ts";

/** The rows of the latest checkpoint of a namespace, by its name in the tables. */
export type LatestRead = (threadId: string, namespace: string) => Promise<Row[]>;

export interface LatestReads {
  readonly read: LatestRead;
  /** Sends what waits. */
  flush(): void;
}

interface Waiting {
  readonly threadId: string;
  readonly namespace: string;
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads of one statement: they share its connection and its deadline. */
const MAX_READS = 32;

/** A thread whose answer had more characters than this is asked for alone: its neighbours would wait for it. */
const LARGE = 262_144;

export function createLatestReads(
  database: Database,
  { latest, latestOfEach }: Pick<ReadStatements, "latest" | "latestOfEach">,
): LatestReads {
  let waiting: Waiting[] = [];
  let underWay = 0;
  /** Threads whose last answer was large, or may have been what a whole statement failed for. */
  const alone = recentThreads();

  const ask = async (reads: readonly Waiting[]): Promise<Row[][]> => {
    const [first] = reads;
    if (first !== undefined && reads.length === 1) {
      return [await database.execute(latest, [first.threadId, first.namespace])];
    }
    const rows = await database.execute(latestOfEach, [
      textArray(reads.map(({ threadId }) => threadId)),
      textArray(reads.map(({ namespace }) => namespace)),
    ]);
    return apart(rows, reads);
  };

  const send = async (reads: readonly Waiting[]): Promise<void> => {
    underWay += 1;
    try {
      const answers = await ask(reads);
      reads.forEach(({ threadId, resolve }, i) => {
        const rows = answers[i] as Row[];
        alone.note(threadId, lengthOf(rows) > LARGE);
        resolve(rows);
      });
    } catch (error) {
      if (reads.length > 1) for (const { threadId } of reads) alone.note(threadId, true);
      if (reads.length > 1 && mayBeOfOne(error)) for (const read of reads) void send([read]);
      else for (const { reject } of reads) reject(error);
    } finally {
      underWay -= 1;
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += MAX_READS) void send(all.slice(at, at + MAX_READS));
  };

  return {
    flush,
    read: (threadId, namespace) =>
      new Promise((resolve, reject) => {
        const read = { threadId, namespace, resolve, reject };
        // What a watched pool does may depend on whose call it is.
        if (underWay === 0 || alone.has(threadId) || isWatched(database.pool)) {
          void send([read]);
          return;
        }
        waiting.push(read);
        if (waiting.length === 1) setImmediate(flush);
      }),
  };
}

/** Whether one of the reads may have failed all of them, and not the server or the way to it. */
function mayBeOfOne(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === "DATABASE_ERROR";
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

/** Characters of the payloads. */
function lengthOf(rows: readonly Row[]): number {
  return rows.reduce((sum, row) => sum + (row[9]?.length ?? 0) + (row[10]?.length ?? 0), 0);
}
