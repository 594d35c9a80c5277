/** A picture of a store's tables in words, the same for every schema, table name and server version. */
import { readFile } from "node:fs/promises";
import { textArray } from "../postgres/arrays.ts";
import type { Executor } from "../postgres/database.ts";
import { TABLE_SUFFIXES, type TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import type { TableKey } from "./catalog.ts";
import { MIGRATIONS_FOLDER } from "./migration-files.ts";

/** One table. Every value is SQL, such as `text COLLATE "C" NOT NULL`. */
export interface TableManifest {
  readonly columns: Readonly<Record<string, string>>;
  /** By what follows the table's name: `seq_idx`; an index named otherwise by its full name. */
  readonly indexes: Readonly<Record<string, string>>;
  readonly constraints: Readonly<Record<string, string>>;
  /** Storage parameters, and `unlogged` where the table would not survive a crash. */
  readonly options: Readonly<Record<string, string>>;
}

export type Manifest = Readonly<Partial<Record<TableKey, TableManifest>>>;

const COLUMNS = `SELECT 'columns' AS part, a.attrelid AS rel, a.attnum AS place, a.attname::text AS name,
  pg_catalog.format_type(a.atttypid, a.atttypmod)
  || CASE WHEN a.attcollation <> t.typcollation
    THEN ' COLLATE ' || pg_catalog.quote_ident(o.collname) ELSE '' END
  || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
  || coalesce(CASE a.attgenerated WHEN '' THEN ' DEFAULT ' ELSE ' GENERATED ALWAYS AS ' END
    || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') AS sql
  FROM own JOIN pg_catalog.pg_attribute a ON a.attrelid = own.oid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped`;

// pg_get_indexdef of a whole index names schema and table; of one column it does not.
const INDEXES = `SELECT 'indexes', i.indrelid, 0, c.relname::text,
  CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || m.amname || ' ('
  || (SELECT string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false)
      || CASE WHEN p.opcdefault THEN '' ELSE ' ' || p.opcname END
      || CASE i.indoption[k - 1] & 3 WHEN 0 THEN '' WHEN 1 THEN ' DESC NULLS LAST'
        WHEN 2 THEN ' NULLS FIRST' ELSE ' DESC' END, ', ' ORDER BY k)
    FROM generate_series(1, i.indnkeyatts) k
    JOIN pg_catalog.pg_opclass p ON p.oid = i.indclass[k - 1]) || ')'
  || coalesce((SELECT ' INCLUDE (' || string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k) || ')'
    FROM generate_series(i.indnkeyatts + 1, i.indnatts) k), '')
  || coalesce(' WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), '')
  || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
  FROM own JOIN pg_catalog.pg_index i ON i.indrelid = own.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam`;

// NOT NULL is a constraint of its own since PostgreSQL 18; the columns tell of it everywhere.
const CONSTRAINTS = `SELECT 'constraints', own.oid, 0, c.conname::text, pg_catalog.pg_get_constraintdef(c.oid)
  FROM own JOIN pg_catalog.pg_constraint c ON c.conrelid = own.oid WHERE c.contype <> 'n'`;

const OPTIONS = `SELECT 'options', own.oid, 0, split_part(x, '=', 1), substr(x, strpos(x, '=') + 1)
  FROM own, unnest(own.reloptions) x
  UNION ALL SELECT 'options', oid, 0, 'unlogged', 'true' FROM own WHERE relpersistence = 'u'`;

// The tables are picked first: definitions of others must not be asked for, they may be locked.
const READ = statement(
  "schema_manifest",
  `WITH own AS MATERIALIZED (
    SELECT r.oid, r.relname, r.reloptions, r.relpersistence FROM pg_catalog.pg_class r
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    WHERE n.nspname = $1::text AND r.relname = ANY ($2::text[]) AND r.relkind IN ('r', 'p')
  )
  SELECT own.relname::text, e.part, e.name, e.sql FROM (
    ${[COLUMNS, INDEXES, CONSTRAINTS, OPTIONS].join("\nUNION ALL ")}
  ) e
  JOIN own ON own.oid = e.rel
  ORDER BY e.part, e.place, e.name COLLATE "C"`,
);

/** Reads the picture of the tables as they are. Tables that do not exist are absent. */
export async function readManifest(db: Executor, names: TableNames): Promise<Manifest> {
  const keys = Object.keys(TABLE_SUFFIXES) as TableKey[];
  const relations = keys.map((key) => names.tableName + TABLE_SUFFIXES[key]);
  const rows = await db.execute(READ, [names.schemaName, textArray(relations)]);
  const manifest: Partial<Record<TableKey, Record<keyof TableManifest, Record<string, string>>>> =
    {};
  keys.forEach((key, i) => {
    const own = rows.filter(([relation]) => relation === relations[i]);
    if (own.length === 0) return;
    const table = { columns: {}, indexes: {}, constraints: {}, options: {} };
    manifest[key] = table;
    for (const [, part, name, sql] of own) {
      const entries: Record<string, string> = table[part as keyof TableManifest];
      const isColumn = part === "columns" || part === "options";
      entries[isColumn ? (name ?? "") : withoutTable(names, name ?? "")] = sql ?? "";
    }
  });
  return manifest;
}

function withoutTable(names: TableNames, name: string): string {
  const prefix = `${names.tableName}_`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** The committed picture of the newest version; `npm run schema:manifest` renews it. */
export async function committedManifest(): Promise<Manifest> {
  const file = new URL("schema-manifest.json", MIGRATIONS_FOLDER);
  return JSON.parse(await readFile(file, "utf8")) as Manifest;
}
