/**
 * Writes whose chunks and values are too much for one statement. A statement's parameters exist three times: as rows,
 * packed into arrays, and in the driver's message. So they go ahead, slice by slice, in the transaction that ends with
 * the operation itself: what is held besides the rows is a slice, and what is seen from outside is all or nothing.
 *
 * Each slice is an operation of the same kind that has nothing but chunks or values. So the first one takes the lock that
 * the operation takes, with the same proof of generation and lease, and it holds until the end: nobody can prune or
 * delete in between.
 */
import type { Executor } from "../postgres/database.ts";
import type { ChunkRow, Unplaced, ValueRow } from "./columns.ts";
import { sizeOf, weigh } from "./message-limit.ts";
import { execute } from "./write-execute.ts";
import type { Outcome, WriteKind, WriteOperation } from "./write-operation.ts";
import type { WriteStatements } from "./write-statements.ts";

type Chunk = Unplaced<ChunkRow>;
type Value = Unplaced<ValueRow>;

/** What a slice holds at most, in characters or bytes of payloads, unless one of them alone is larger. */
const SLICE = 1024 * 1024;

/** The statement that takes a slice: a record's answers for records only. */
const KIND_OF_SLICE: Readonly<Record<WriteKind, WriteKind>> = {
  putKnown: "putKnown",
  putUnknown: "putUnknown",
  recordKnown: "putKnown",
  recordUnknown: "putUnknown",
  newRecordKnown: "putKnown",
  newRecordUnknown: "putUnknown",
  writesKnown: "writesKnown",
  writesUnknown: "writesUnknown",
};

/** Whether the operation needs a transaction of its own, for {@link executeOne}. */
export function isLarge({ chunks, values }: WriteOperation): boolean {
  return weigh(chunks) > SLICE || weigh(values) > SLICE;
}

/**
 * Runs one operation, in as many statements as it needs: where it {@link isLarge}, `executor` must be a
 * transaction. Undefined if the thread did not take it; then there is nothing to roll back.
 */
export async function executeOne(
  executor: Executor,
  statements: WriteStatements,
  operation: WriteOperation,
): Promise<Outcome | undefined> {
  let rest = operation;
  const nothing = { chunks: [], values: [], checkpoint: null, writes: [], floor: null };
  const slice = { ...operation, kind: KIND_OF_SLICE[operation.kind], isSlice: true, ...nothing };
  const parts: (Pick<WriteOperation, "chunks"> | Pick<WriteOperation, "values">)[] = [];
  if (weigh(operation.chunks) > SLICE) {
    // In the order of their ids, which is the order within a statement: two transactions that send the same
    // chunks wait for each other instead of deadlocking. Values are only written under the thread's lock.
    for (const chunks of slicesOf(operation.chunks.toSorted(byId))) parts.push({ chunks });
    rest = { ...rest, chunks: [] };
  }
  if (weigh(operation.values) > SLICE) {
    for (const values of slicesOf(operation.values)) parts.push({ values });
    rest = { ...rest, values: [] };
  }
  for (const part of parts) {
    const [outcome] = await execute(executor, statements, [{ ...slice, ...part }]);
    if (outcome === undefined) return undefined;
  }
  return (await execute(executor, statements, [rest]))[0];
}

function* slicesOf<R extends Chunk | Value>(rows: readonly R[]): Generator<R[]> {
  let slice: R[] = [];
  let size = 0;
  for (const row of rows) {
    const length = sizeOf(row.payload);
    if (slice.length > 0 && size + length > SLICE) {
      yield slice;
      slice = [];
      size = 0;
    }
    slice.push(row);
    size += length;
  }
  if (slice.length > 0) yield slice;
}

function byId(a: Chunk, b: Chunk): number {
  return a.chunk_id === b.chunk_id ? 0 : (a.chunk_id as string) < (b.chunk_id as string) ? -1 : 1;
}
