/** The statements that read a thread's rows as they are sealed, and write them back or to another thread. */
import { byteaArray, textArray } from "../postgres/arrays.ts";
import type { Param } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";

export type Part = "chunks" | "values" | "checkpoints" | "writes";

/** Cells of a row by column; payloads as base64, or as bytes on their way back. */
export type Cells = Readonly<Record<string, string | Uint8Array | null>>;

interface Table {
  /** What a page goes on behind. */
  readonly key: Readonly<Record<string, "text" | "uuid" | "int8">>;
  /** Columns that are read besides. */
  readonly beside: readonly string[];
  /** Columns that are rewritten. */
  readonly sealed: Readonly<Record<string, "text" | "bytea" | "uuid[]" | "jsonb">>;
  /** The column that begins with the header of the key. */
  readonly payload: string;
}

const TABLES: Readonly<Record<Part, Table>> = {
  chunks: {
    key: { chunk_id: "uuid" },
    beside: [],
    sealed: { payload: "bytea", children: "uuid[]" },
    payload: "payload",
  },
  values: {
    key: { checkpoint_ns: "text", channel: "text", version: "text" },
    beside: [],
    sealed: { type: "text", payload: "bytea", chunks: "uuid[]" },
    payload: "payload",
  },
  checkpoints: {
    key: { checkpoint_ns: "text", checkpoint_id: "text" },
    beside: ["parent_checkpoint_id", "channel_versions"],
    sealed: { checkpoint_data: "bytea", metadata: "jsonb" },
    payload: "checkpoint_data",
  },
  writes: {
    key: { checkpoint_ns: "text", checkpoint_id: "text", task_id: "text", idx: "int8" },
    beside: ["task_path", "channel"],
    sealed: { type: "text", payload: "bytea", chunks: "uuid[]" },
    payload: "payload",
  },
};

/** Columns of a checkpoint that a copy takes as they are. */
const COPIED = [
  "parent_checkpoint_id",
  "channel_versions",
  "seq",
  "execution_id",
  "node_name",
  "version",
  "created_at",
  "expires_at",
];

export interface RewriteStatements {
  /** `$1` thread, `$2` how many, then the key of the last row seen, or NULLs: all rows. */
  readonly all: Readonly<Record<Part, Statement>>;
  /**
   * The same, behind `$2` the header of the first key and `$3` the metadata keys that may be seen:
   * rows that are not as they would be written now. Of checkpoints all where `$4` is true.
   */
  readonly old: Readonly<Record<Part, Statement>>;
  /** `$1`, `$2`, `$3`, `$4` as above: whether there is any. */
  readonly anyOld: Statement;
  /** `$1` thread, then {@link rowColumns}: adds rows; of chunks those that are not there. */
  readonly add: Readonly<Record<"chunks" | "values" | "writes", Statement>>;
  /** `$1` thread, then {@link rowColumns}: rewrites them. */
  readonly update: Readonly<Record<"values" | "checkpoints" | "writes", Statement>>;
  /** `$1` thread, `$2` the thread to copy to, then {@link rowColumns}. */
  readonly copyCheckpoints: Statement;
  /** `$1` thread, `$2` ids. */
  readonly dropChunks: Statement;
  /** `$1` thread, `$2` generation. */
  readonly renew: Statement;
}

/** The columns of a part that travel: key, beside, sealed. */
function columnsOf(part: Part): string[] {
  const { key, beside, sealed } = TABLES[part];
  return [...Object.keys(key), ...beside, ...Object.keys(sealed)];
}

/** A row of `all` or `old` by its columns. */
export function cellsOf(part: Part, row: readonly (string | null | undefined)[]): Cells {
  return Object.fromEntries(columnsOf(part).map((column, i) => [column, row[i] ?? null]));
}

/** How a page goes on behind a row. */
export function keyOf(part: Part, cells: Cells | undefined): Param[] {
  return Object.keys(TABLES[part].key).map((column) => (cells?.[column] as string) ?? null);
}

/** Rows as the parameters of `add`, `update` and `copyCheckpoints`. */
export function rowColumns(part: Part, rows: readonly Cells[]): Buffer[] {
  return columnsOf(part).map((column) => {
    const cells = rows.map((row) => row[column] ?? null);
    return TABLES[part].sealed[column] === "bytea"
      ? byteaArray(cells)
      : textArray(cells as (string | null)[]);
  });
}

const PARTS = Object.keys(TABLES) as Part[];

const forEach = <T>(make: (part: Part) => T): Record<Part, T> =>
  Object.fromEntries(PARTS.map((part) => [part, make(part)])) as Record<Part, T>;

export const rewriteStatements: (names: TableNames) => RewriteStatements = perStore((names) => {
  const reading = (part: Part, column: string): string =>
    TABLES[part].sealed[column] === "bytea" ? `encode(x.${column}, 'base64')` : `x.${column}::text`;

  const page = (part: Part, condition: string, first: number): string => {
    const { key } = TABLES[part];
    const keys = Object.keys(key)
      .map((column) => `x.${column}`)
      .join(", ");
    const last = Object.values(key).map((type, i) => `$${first + 1 + i}::${type}`);
    return `SELECT ${columnsOf(part)
      .map((column) => reading(part, column))
      .join(", ")}
FROM ${names[part]} x WHERE x.thread_id = $1 ${condition}
  AND (${last[0]} IS NULL OR (${keys}) > (${last.join(", ")}))
ORDER BY ${keys} LIMIT $${first}::int8`;
  };

  const isOld = (part: Part): string => {
    const other = `substring(x.${TABLES[part].payload} FROM 1 FOR length($2::bytea)) IS DISTINCT FROM $2::bytea`;
    // $3 and $4 are of use for checkpoints only, and every statement has to know their types.
    const keys = `EXISTS (SELECT FROM jsonb_object_keys(CASE jsonb_typeof(x.metadata) WHEN 'object' THEN x.metadata ELSE '{}' END) k
      WHERE NOT k = ANY ($3::text[]))`;
    return part === "checkpoints"
      ? `AND ($4::bool OR ${other} OR ${keys})`
      : `AND ${other} AND ($3::text[] IS NOT NULL OR $4::bool)`;
  };

  const writing = (part: Part, column: string): string => {
    const type = TABLES[part].key[column] ?? TABLES[part].sealed[column] ?? "text";
    return type === "text" || type === "bytea" ? `i.${column}` : `i.${column}::${type}`;
  };
  const rows = (part: Part, first: number): string => {
    const types = columnsOf(part).map((column, i) => {
      const type = TABLES[part].sealed[column] === "bytea" ? "bytea" : "text";
      return `$${first + i}::${type}[]`;
    });
    return `unnest(${types.join(", ")}) AS i(${columnsOf(part).join(", ")})`;
  };
  const sameKey = (part: Part): string =>
    Object.keys(TABLES[part].key)
      .map((column) => `x.${column} = ${writing(part, column)}`)
      .join(" AND ");

  const add = (part: Part): Statement =>
    statement(
      `add_${part}`,
      `INSERT INTO ${names[part]} (thread_id, ${columnsOf(part).join(", ")})
SELECT $1, ${columnsOf(part)
        .map((column) => writing(part, column))
        .join(", ")}
FROM ${rows(part, 2)} ${part === "chunks" ? "ON CONFLICT (thread_id, chunk_id) DO NOTHING" : ""}`,
    );

  const update = (part: Part): Statement =>
    statement(
      `rewrite_${part}`,
      `UPDATE ${names[part]} x SET ${Object.keys(TABLES[part].sealed)
        .map((column) => `${column} = ${writing(part, column)}`)
        .join(", ")}
FROM ${rows(part, 2)} WHERE x.thread_id = $1 AND ${sameKey(part)}`,
    );

  return {
    all: forEach((part) => statement(`all_${part}`, page(part, "", 2))),
    old: forEach((part) => statement(`old_${part}`, page(part, isOld(part), 5))),
    anyOld: statement(
      "any_old",
      `SELECT 'old' WHERE ${PARTS.map(
        (part) => `EXISTS (SELECT FROM ${names[part]} x WHERE x.thread_id = $1 ${isOld(part)})`,
      ).join("\n  OR ")}`,
    ),
    add: forEach(add),
    update: forEach(update),
    copyCheckpoints: statement(
      "copy_checkpoints",
      `INSERT INTO ${names.checkpoints} (thread_id, checkpoint_ns, checkpoint_id, ${COPIED.join(", ")}, checkpoint_data, metadata)
SELECT $2, x.checkpoint_ns, x.checkpoint_id, ${COPIED.map((column) => `x.${column}`).join(", ")}, i.checkpoint_data, i.metadata::jsonb
FROM ${rows("checkpoints", 3)} JOIN ${names.checkpoints} x ON x.thread_id = $1 AND ${sameKey("checkpoints")}`,
    ),
    dropChunks: statement(
      "drop_chunks",
      `DELETE FROM ${names.chunks} WHERE thread_id = $1 AND chunk_id = ANY ($2::uuid[])`,
    ),
    renew: statement(
      "renew_generation",
      `UPDATE ${names.threads} SET generation = $2::uuid WHERE thread_id = $1`,
    ),
  };
});
