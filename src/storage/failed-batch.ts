/** What becomes of a batch of writes that failed. */
import { DatabaseError, type ErrorCode, LangGraphPostgresError } from "../errors.ts";
import type { WriteOperation } from "./write-operation.ts";

interface OfThread {
  readonly operation: Pick<WriteOperation, "threadId">;
}

/** A part of a batch. */
export interface Part {
  readonly of: Split;
}

/** A batch that failed, whose parts are tried apart. */
export interface Split {
  /** Whether the batch was waited for in vain. */
  readonly isLate: boolean;
  /** What became of the parts so far. */
  taken: number;
  /** Those that nobody answered. */
  late: number;
}

/** SQLSTATEs of who waited too long: for a lock, for the server, or for each other. */
const WAITED = new Set(["40001", "40P01", "55P03", "57014"]);

/** What one operation can cause by what it brings. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "DATABASE_ERROR",
  "SERIALIZATION_FAILED",
  "INVALID_CONFIG",
]);

/** No operation's doing all the same: a full disk, and what the operating system says. */
const OF_THE_SERVER = /^(53100|58)/;

/** So many parts are waited for in vain before the others are given up. One may be what all the others waited for. */
const MAX_LATE = 2;

/**
 * The parts of the batch that are tried again, each apart from the others; undefined where that would help none, and all
 * callers are to be told.
 *
 * - What is refused is looked for by halving: one bad row fails its own operation, not its neighbours'.
 * - What was waited for may be the lock on one thread, so threads are tried apart. Not the operations of one thread: all
 *   would wait as long, one after the other.
 * - A server that cannot be reached, a full pool or disk, missing tables are no operation's doing.
 */
export function partsOf<W extends OfThread>(
  batch: readonly W[],
  error: unknown,
): readonly (readonly W[])[] | undefined {
  if (batch.length === 1) return undefined;
  if (waitedTooLong(error)) {
    const threads = byThread(batch);
    return threads.length === 1 ? undefined : threads;
  }
  if (!isRefusal(error)) return undefined;
  const half = batch.length >> 1;
  return [batch.slice(0, half), batch.slice(half)];
}

/** Whether somebody else's lock, or a server that does not answer, may be what it failed for. */
export function waitedTooLong(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return error.code === "DEADLINE_EXCEEDED" || WAITED.has(error.sqlState ?? "");
}

/** What is no error of this package comes from packing the rows. */
function isRefusal(error: unknown): boolean {
  if (error instanceof DatabaseError && OF_THE_SERVER.test(error.sqlState ?? "")) return false;
  return !(error instanceof LangGraphPostgresError) || REFUSALS.has(error.code);
}

/**
 * Takes note of a part that failed for good, and says whether the parts that still wait would fare no better: nobody
 * answers. Otherwise each would wait for its deadline, a few at a time.
 */
export function isHopeless(split: Split, error: unknown): boolean {
  if (waitedTooLong(error) || !isRefusal(error)) split.late += 1;
  return split.taken === 0 && split.late >= MAX_LATE;
}

function byThread<W extends OfThread>(batch: readonly W[]): W[][] {
  const threads = new Map<string, W[]>();
  for (const one of batch) {
    const { threadId } = one.operation;
    const operations = threads.get(threadId);
    if (operations) operations.push(one);
    else threads.set(threadId, [one]);
  }
  return [...threads.values()];
}
