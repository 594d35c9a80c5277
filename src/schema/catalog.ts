/** What stands in the database under the names of a store. Reads the catalog, changes nothing. */
import { SchemaError } from "../errors.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Executor } from "../postgres/database.ts";
import { TABLE_SUFFIXES, type TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";

/** A table as {@link TableNames} calls it: `"checkpoints"`, `"threads"`, … */
export type TableKey = keyof typeof TABLE_SUFFIXES;

/** Which of a store's tables exist, with their columns, and the version they are at. */
export interface SchemaState {
  readonly schemaExists: boolean;
  /** Columns by table; a view or an index of that name counts as a table. */
  readonly relations: ReadonlyMap<TableKey, readonly string[]>;
  /** The highest applied migration; 0 where there is none. */
  readonly version: number;
}

const KEYS = Object.keys(TABLE_SUFFIXES) as TableKey[];

/** Columns that every version of a table of ours has, by which it is told from somebody else's. */
const OWN_COLUMNS: Readonly<Record<TableKey, readonly string[]>> = {
  migrations: ["version", "name", "applied_at"],
  threads: ["thread_id", "generation", "last_seq"],
  checkpoints: ["thread_id", "checkpoint_ns", "checkpoint_id", "seq", "checkpoint_data"],
  values: ["thread_id", "channel", "version", "payload", "chunks"],
  chunks: ["thread_id", "chunk_id", "payload", "children"],
  writes: ["thread_id", "checkpoint_id", "task_id", "idx", "task_path"],
  adoptions: ["thread_id", "checkpoints", "newest"],
};

/** Tables that people have under these names, told by columns that ours lack. */
const KNOWN_OWNERS: readonly { readonly owner: string; readonly columns: readonly string[] }[] = [
  {
    owner: "@langchain/langgraph-checkpoint-postgres",
    columns: ["thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint"],
  },
  { owner: "@langchain/langgraph-checkpoint-postgres", columns: ["thread_id", "channel", "blob"] },
  { owner: "@langchain/langgraph-checkpoint-postgres", columns: ["v"] },
  { owner: "langgraphgo", columns: ["execution_id", "node_name", "state", "timestamp"] },
];

// `pg_class.relkind` is not looked at: a view or a sequence of that name is in the way as well.
const INSPECT = statement(
  "schema_inspect",
  `SELECT c.relname::text, coalesce((
    SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ), '[]')::text
  FROM pg_catalog.pg_namespace n
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = ANY ($2::text[])
  WHERE n.nspname = $1::text`,
);

/**
 * Reads the state. Throws {@link SchemaError} `FOREIGN_TABLES` where a table under one of our names
 * is not ours: nothing may be created beside it, and none of its rows read as ours.
 */
export async function readState(db: Executor, names: TableNames): Promise<SchemaState> {
  let found = await inspect(db, names);
  refuseForeignTables(names, found.relations);
  const version = found.relations.has("migrations") ? await readVersion(db, names) : 0;
  // Another process may have migrated between the two: what is there is read after the version that
  // says so, or a table that it has just created would look as if it were gone.
  if (version > 0 && found.relations.size < KEYS.length) found = await inspect(db, names);
  return { ...found, version };
}

async function inspect(db: Executor, names: TableNames): Promise<Omit<SchemaState, "version">> {
  const byName = new Map(KEYS.map((key) => [names.tableName + TABLE_SUFFIXES[key], key]));
  const rows = await db.execute(INSPECT, [names.schemaName, textArray([...byName.keys()])]);
  const relations = new Map<TableKey, readonly string[]>();
  for (const [relation, columns] of rows) {
    const key = byName.get(relation ?? "");
    if (key) relations.set(key, JSON.parse(columns ?? "[]") as string[]);
  }
  return { schemaExists: rows.length > 0, relations };
}

async function readVersion(db: Executor, names: TableNames): Promise<number> {
  const [row] = await db.execute(
    statement("schema_version", `SELECT max(version)::text FROM ${names.migrations}`),
    [],
  );
  return Number(row?.[0] ?? 0);
}

function refuseForeignTables(
  names: TableNames,
  relations: ReadonlyMap<TableKey, readonly string[]>,
): void {
  for (const [key, columns] of relations) {
    const ours = OWN_COLUMNS[key].every((column) => columns.includes(column));
    // Without the table of migrations nothing tells that the others are ours, whatever they look like.
    if (ours && relations.has("migrations")) continue;
    const owner = KNOWN_OWNERS.find((known) => known.columns.every((c) => columns.includes(c)));
    throw new SchemaError(
      "FOREIGN_TABLES",
      `${names[key]} exists and ${owner ? `belongs to ${owner.owner}` : "was not created by langgraph-postgres"}. ` +
        "Nothing was changed. Choose another `schema` or `tableName`, or move that table away.",
    );
  }
}
