/**
 * The shapes of the rows that statements take as parameters: one array per column, each packed into
 * one Buffer. Statement text and parameter list are both derived from these tables, so a column
 * cannot be in one and not in the other.
 *
 * Payloads come last, in their table and, of values and writes, in the statement: when a parameter comes
 * behind a large one, the driver makes its message half as large again to have room for it, with a copy.
 */

import { byteaArray, int4Array, int8Array, textArray, uuidArray } from "../postgres/arrays.ts";
import type { Param } from "../postgres/query.ts";

type ColumnType = "int4" | "int8" | "text" | "uuid" | "bytea";
type Cell = string | number | Uint8Array | null;
type Columns = Readonly<Record<string, ColumnType>>;
type RowOf<C extends Columns> = { readonly [K in keyof C]: Cell };

/**
 * A thread that a batch writes to; `n` is how its rows refer to it. The thread counts on from `floor`
 * where it is not that far yet.
 */
const WANT = {
  n: "int4",
  thread_id: "text",
  generation: "uuid",
  puts: "int4",
  floor: "int8",
  lease: "int8",
  ttl_ms: "int8",
} as const;

const CHUNKS = {
  n: "int4",
  chunk_id: "uuid",
  children: "text",
  payload: "bytea",
} as const;

const VALUES = {
  n: "int4",
  checkpoint_ns: "text",
  channel: "text",
  version: "text",
  type: "text",
  chunks: "text",
  payload: "bytea",
} as const;

const CHECKPOINTS = {
  n: "int4",
  place: "int4",
  checkpoint_ns: "text",
  checkpoint_id: "text",
  parent_id: "text",
  execution_id: "text",
  node_name: "text",
  version: "int8",
  channel_versions: "text",
  data: "bytea",
  metadata: "text",
  expires_ms: "int8",
  ttl_ms: "int8",
} as const;

/** A checkpoint, and when it was made. */
const RECORDS = {
  n: "int4",
  place: "int4",
  checkpoint_ns: "text",
  checkpoint_id: "text",
  parent_id: "text",
  execution_id: "text",
  node_name: "text",
  version: "int8",
  channel_versions: "text",
  data: "bytea",
  metadata: "text",
  expires_ms: "int8",
  ttl_ms: "int8",
  created_ms: "int8",
} as const;

const WRITES = {
  n: "int4",
  checkpoint_ns: "text",
  checkpoint_id: "text",
  task_id: "text",
  idx: "int4",
  task_path: "text",
  channel: "text",
  type: "text",
  chunks: "text",
  payload: "bytea",
} as const;

export const COLUMNS: {
  readonly want: typeof WANT;
  readonly chunks: typeof CHUNKS;
  readonly values: typeof VALUES;
  readonly checkpoints: typeof CHECKPOINTS;
  readonly records: typeof RECORDS;
  readonly writes: typeof WRITES;
} = {
  want: WANT,
  chunks: CHUNKS,
  values: VALUES,
  checkpoints: CHECKPOINTS,
  records: RECORDS,
  writes: WRITES,
};

export type Unplaced<Row> = Omit<Row, "n">;
export type ChunkRow = RowOf<typeof CHUNKS>;
export type ValueRow = RowOf<typeof VALUES>;
export type CheckpointRow = RowOf<typeof CHECKPOINTS>;
export type RecordRow = RowOf<typeof RECORDS>;
export type WriteRow = RowOf<typeof WRITES>;

/** The same for a statement that writes to one thread: no row has to say which thread it belongs to. */
export const COLUMNS_OF_ONE: {
  readonly want: Omit<typeof WANT, "n">;
  readonly chunks: Omit<typeof CHUNKS, "n">;
  readonly values: Omit<typeof VALUES, "n">;
  readonly checkpoints: Omit<typeof CHECKPOINTS, "n">;
  readonly writes: Omit<typeof WRITES, "n">;
} = {
  want: withoutN(WANT),
  chunks: withoutN(CHUNKS),
  values: withoutN(VALUES),
  checkpoints: withoutN(CHECKPOINTS),
  writes: withoutN(WRITES),
};

function withoutN<C extends { n: ColumnType }>({ n: _, ...columns }: C): Omit<C, "n"> {
  return columns;
}

/** `unnest($3::int4[], …) AS i(n, …)` for the given columns, whose first parameter is `$first`. */
export function unnest(columns: Columns, alias: string, first: number): string {
  const types = Object.values(columns).map((type, i) => `$${first + i}::${type}[]`);
  return `unnest(${types.join(", ")}) AS ${alias}(${Object.keys(columns).join(", ")})`;
}

/** `(SELECT $3::text AS checkpoint_ns, …) AS i`: one row of the given columns. */
export function row(columns: Columns, alias: string, first: number): string {
  const cells = Object.entries(columns).map(
    ([name, type], i) => `$${first + i}::${type} AS ${name}`,
  );
  return `(SELECT ${cells.join(", ")}) AS ${alias}`;
}

/** How many parameters the columns take. */
export function width(columns: Columns): number {
  return Object.keys(columns).length;
}

/** The rows, column by column, as the parameters that `unnest` of the same columns takes. */
export function pack<C extends Columns>(columns: C, rows: readonly RowOf<C>[]): Buffer[] {
  return Object.entries(columns).map(([name, type]) => {
    const cells = rows.map((row) => row[name] as Cell);
    return PACKERS[type](cells as never[]);
  });
}

/** A single row, as the parameters that `row` of the same columns takes. */
export function packRow<C extends Columns>(columns: C, cells: RowOf<C>): Param[] {
  return Object.entries(columns).map(([name, type]) => {
    const cell = cells[name] as Cell;
    return type === "bytea" && cell !== null
      ? Buffer.from(cell as string | Uint8Array)
      : (cell as Param);
  });
}

const PACKERS: Readonly<Record<ColumnType, (cells: never[]) => Buffer>> = {
  int4: int4Array,
  int8: int8Array,
  text: textArray,
  uuid: uuidArray,
  bytea: byteaArray,
};
