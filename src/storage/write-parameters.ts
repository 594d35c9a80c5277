/** A batch of operations as the parameters of one statement. */
import type { Param } from "../postgres/query.ts";
import {
  type ChunkRow,
  COLUMNS,
  COLUMNS_OF_ONE,
  pack,
  packRow,
  type RecordRow,
  type Unplaced,
  type ValueRow,
  type WriteRow,
} from "./columns.ts";
import { compress } from "./compression.ts";
import type { WriteOperation } from "./write-operation.ts";
import type { WriteStatements } from "./write-statements.ts";

type StatementOfOne = "putOne" | "stepOne" | "writesOne";

/** The statement for one thread and one checkpoint at most; undefined where the operations are not of that kind. */
export function statementOfOne(operations: readonly WriteOperation[]): StatementOfOne | undefined {
  const [first] = operations;
  let puts = 0;
  let writes = 0;
  for (const { kind, threadId, checkpoint } of operations) {
    if (threadId !== first?.threadId) return undefined;
    if (kind === "writesKnown") writes += 1;
    // A slice of a large write brings no checkpoint.
    else if (kind === "putKnown" && checkpoint !== null) puts += 1;
    else return undefined;
  }
  if (puts > 1) return undefined;
  if (puts === 0) return "writesOne";
  return writes === 0 ? "putOne" : "stepOne";
}

export function parametersOfOne(
  operations: readonly WriteOperation[],
  kind: StatementOfOne,
): Param[] {
  const [first] = operations as [WriteOperation];
  const put = operations.find(({ checkpoint }) => checkpoint !== null);
  const want = {
    thread_id: first.threadId,
    generation: first.generation,
    puts: put ? 1 : 0,
    floor: put?.floor ?? null,
    lease: first.lease,
    ttl_ms: first.ttlMs,
  };
  return [
    ...packRow(COLUMNS_OF_ONE.want, want),
    ...pack(
      COLUMNS_OF_ONE.chunks,
      first.isSlice ? first.chunks : distinct(operations).map(asStored),
    ),
    ...(put?.checkpoint
      ? packRow(COLUMNS_OF_ONE.checkpoints, { place: 1, ...put.checkpoint })
      : []),
    ...(put ? pack(COLUMNS_OF_ONE.values, put.values) : []),
    ...(kind === "putOne" ? [] : pack(COLUMNS_OF_ONE.writes, writesOf(operations))),
  ];
}

/** What is sealed is bytes already. Compressed when it is packed, and so no text of a batch is in memory twice. */
function asStored<R extends Unplaced<ChunkRow>>(chunk: R): R {
  const { payload } = chunk;
  if (typeof payload !== "string") return chunk;
  const stored = compress(payload);
  return stored === payload ? chunk : { ...chunk, payload: stored };
}

/** Parallel tasks may bring the same chunk; one statement cannot insert a row twice. */
function distinct(operations: readonly WriteOperation[]): readonly Unplaced<ChunkRow>[] {
  const [first, second] = operations;
  if (first !== undefined && second === undefined) return first.chunks;
  const byId = new Map(
    operations.flatMap(({ chunks }) => chunks.map((chunk) => [chunk.chunk_id, chunk])),
  );
  return [...byId.values()];
}

function writesOf(operations: readonly WriteOperation[]): readonly Unplaced<WriteRow>[] {
  const [first, second] = operations;
  return first !== undefined && second === undefined
    ? first.writes
    : operations.flatMap(({ writes }) => writes);
}

/** The rows that a statement for many threads takes besides threads and chunks. */
export const TAKES: Readonly<
  Record<
    Exclude<keyof WriteStatements, StatementOfOne>,
    { readonly puts: "checkpoints" | "records" | null; readonly writes: boolean }
  >
> = {
  putKnown: { puts: "checkpoints", writes: false },
  putUnknown: { puts: "checkpoints", writes: false },
  recordKnown: { puts: "records", writes: false },
  recordUnknown: { puts: "records", writes: false },
  newRecordKnown: { puts: "records", writes: false },
  newRecordUnknown: { puts: "records", writes: false },
  writesKnown: { puts: null, writes: true },
  writesUnknown: { puts: null, writes: true },
  stepKnown: { puts: "checkpoints", writes: true },
};

export interface Wanted {
  readonly n: number;
  puts: number;
  floor: number | null;
  readonly operation: WriteOperation;
}

/** The threads of a batch, numbered. */
export function threadsOf(operations: readonly WriteOperation[]): Map<string, Wanted> {
  const threads = new Map<string, Wanted>();
  for (const operation of operations) {
    if (threads.has(operation.threadId)) continue;
    threads.set(operation.threadId, { n: threads.size, puts: 0, floor: null, operation });
  }
  return threads;
}

export function parametersOfMany(
  operations: readonly WriteOperation[],
  kind: keyof typeof TAKES,
  threads: ReadonlyMap<string, Wanted>,
): Param[] {
  const chunks: ChunkRow[] = [];
  const values: ValueRow[] = [];
  const checkpoints: RecordRow[] = [];
  const writes: WriteRow[] = [];
  const sent = new Set<string>();
  for (const operation of operations) {
    const thread = threads.get(operation.threadId) as Wanted;
    const { n } = thread;
    for (const chunk of operation.chunks) {
      const key = `${n} ${chunk.chunk_id}`;
      if (!sent.has(key)) chunks.push({ n, ...(operation.isSlice ? chunk : asStored(chunk)) });
      sent.add(key);
    }
    for (const value of operation.values) values.push({ n, ...value });
    for (const write of operation.writes) writes.push({ n, ...write });
    if (operation.checkpoint) {
      thread.puts += 1;
      checkpoints.push({ n, place: thread.puts, created_ms: null, ...operation.checkpoint });
    }
    if (operation.floor != null) {
      thread.floor = Math.max(operation.floor, thread.floor ?? operation.floor);
    }
  }
  const wanted = [...threads].map(([thread_id, { n, puts, floor, operation }]) => ({
    n,
    thread_id,
    generation: operation.generation,
    puts,
    floor,
    lease: operation.lease,
    ttl_ms: operation.ttlMs,
  }));
  const { puts, writes: takesWrites } = TAKES[kind];
  return [
    ...pack(COLUMNS.want, wanted),
    ...pack(COLUMNS.chunks, chunks),
    ...(puts ? pack(COLUMNS[puts], checkpoints) : []),
    ...(puts ? pack(COLUMNS.values, values) : []),
    ...(takesWrites ? pack(COLUMNS.writes, writes) : []),
  ];
}
