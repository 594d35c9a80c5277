/** The tables of `@langchain/langgraph-checkpoint-postgres`: their names, and how they are told from others. */
import { TransferError } from "../errors.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Database } from "../postgres/database.ts";
import { quoteIdentifier } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";

/** The columns by which the official package's tables are told from any others of these names. */
export const TABLES = {
  checkpoints: [
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "parent_checkpoint_id",
    "checkpoint",
    "metadata",
  ],
  checkpoint_blobs: ["thread_id", "checkpoint_ns", "channel", "version", "type", "blob"],
  checkpoint_writes: [
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "task_id",
    "idx",
    "channel",
    "type",
    "blob",
  ],
} as const;

/** The tables' quoted names. */
export interface OfficialTables {
  readonly checkpoints: string;
  readonly blobs: string;
  readonly writes: string;
}

export function tablesIn(schema: string): OfficialTables {
  const table = (name: keyof typeof TABLES): string =>
    `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  return {
    checkpoints: table("checkpoints"),
    blobs: table("checkpoint_blobs"),
    writes: table("checkpoint_writes"),
  };
}

/** @throws {TransferError} `INVALID_SOURCE` unless the schema holds the official package's tables. */
export async function refuseOthers(database: Database, schema: string): Promise<void> {
  const names = Object.keys(TABLES) as (keyof typeof TABLES)[];
  const rows = await database.execute(INSPECT, [schema, textArray(names)]);
  const found = new Map(rows.map((row) => [row[0], JSON.parse(row[1] ?? "[]") as string[]]));
  for (const name of names) {
    const columns = found.get(name);
    const table = `${quoteIdentifier(schema)}.${name}`;
    if (columns === undefined) {
      throw invalidSource(
        `There is no table ${table}. Name the schema that the official saver used; its default is "public".`,
      );
    }
    const missing = TABLES[name].filter((column) => !columns.includes(column));
    if (missing.length === 0) continue;
    const owner = columns.includes("checkpoint_data")
      ? "It is one of langgraph-postgres itself: use export and import."
      : `It lacks ${missing.join(", ")}.`;
    throw invalidSource(
      `${table} is not a table of @langchain/langgraph-checkpoint-postgres. ${owner}`,
    );
  }
}

/** The source cannot be read as the official package's. */
export function invalidSource(message: string, cause?: unknown): TransferError {
  return new TransferError("INVALID_SOURCE", message, cause === undefined ? {} : { cause });
}

const INSPECT = statement(
  "official_inspect",
  `SELECT c.relname::text, (
    SELECT json_agg(a.attname) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  )::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
);
