/** A batch of operations as one statement. */
import type { Executor, Row } from "../postgres/database.ts";
import {
  type ChunkRow,
  COLUMNS,
  pack,
  type RecordRow,
  type ValueRow,
  type WantRow,
  type WriteRow,
} from "./columns.ts";
import { refuseTooMuch, sizeOf } from "./message-limit.ts";
import type { Outcome, WriteOperation } from "./write-operation.ts";
import type { WriteStatements } from "./write-statements.ts";

/** The rows that a statement takes besides threads and chunks. */
const TAKES: Readonly<
  Record<
    keyof WriteStatements,
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

/** Runs the operations of one batch as one statement; an outcome for each, in order. */
export async function execute(
  executor: Executor,
  statements: WriteStatements,
  operations: readonly WriteOperation[],
): Promise<(Outcome | undefined)[]> {
  const first = operations[0];
  if (first === undefined) return [];
  const want = new Map<string, Wanted>();
  const chunks: ChunkRow[] = [];
  const values: ValueRow[] = [];
  const checkpoints: RecordRow[] = [];
  const writes: WriteRow[] = [];
  const sent = new Set<string>();
  for (const operation of operations) {
    let thread = want.get(operation.threadId);
    if (thread === undefined) {
      thread = { n: want.size, puts: 0, floor: null, operation };
      want.set(operation.threadId, thread);
    }
    const { n } = thread;
    for (const chunk of operation.chunks) {
      const key = `${n} ${chunk.chunk_id}`;
      if (!sent.has(key)) chunks.push({ n, ...chunk });
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
  refuseTooMuch([...chunks, ...values, ...writes].map(({ payload }) => sizeOf(payload)));
  const wanted: WantRow[] = [...want].map(([thread_id, { n, puts, floor, operation }]) => ({
    n,
    thread_id,
    generation: operation.generation,
    puts,
    floor,
    lease: operation.lease,
    ttl_ms: operation.ttlMs,
  }));
  const kind = operations.every((one) => one.kind === first.kind) ? first.kind : "stepKnown";
  const { puts, writes: takesWrites } = TAKES[kind];
  const isRecords = puts === "records";
  const parameters = [
    ...pack(COLUMNS.want, wanted),
    ...pack(COLUMNS.chunks, chunks),
    ...(puts ? pack(COLUMNS[puts], checkpoints) : []),
    ...(puts ? pack(COLUMNS.values, values) : []),
    ...(takesWrites ? pack(COLUMNS.writes, writes) : []),
  ];
  refuseTooMuch(parameters.map(({ length }) => length));
  const rows = await executor.execute(statements[kind], parameters);
  // One row per thread; of records one per record, which is told by its namespace and id.
  const keyOf = (n: unknown, namespace: unknown, id: unknown): string =>
    isRecords ? JSON.stringify([Number(n), namespace, id]) : String(n);
  const outcomes = new Map(rows.map((row) => [keyOf(row[0], row[3], row[4]), outcome(row)]));
  return operations.map(({ threadId, checkpoint }) =>
    outcomes.get(
      keyOf(want.get(threadId)?.n, checkpoint?.checkpoint_ns, checkpoint?.checkpoint_id),
    ),
  );
}

interface Wanted {
  readonly n: number;
  puts: number;
  floor: number | null;
  readonly operation: WriteOperation;
}

function outcome(row: Row): Outcome {
  const [, generation, createdAt, , id, version, savedAt, expiresAt] = row;
  return {
    generation: generation ?? "",
    createdAt: createdAt ?? "",
    ...(id == null
      ? {}
      : {
          saved: {
            version: Number(version),
            createdAt: Number(savedAt),
            expiresAt: expiresAt == null ? null : Number(expiresAt),
          },
        }),
  };
}
