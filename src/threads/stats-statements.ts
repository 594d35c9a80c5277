/** The statements behind `stats`. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";
import { HIDDEN } from "../retention/plan-statements.ts";
import { PARTS } from "../retention/removal-statements.ts";
import { rowBytes } from "../retention/row-bytes.ts";

export interface StatsStatements {
  /** One row for each table; rows are what the server's statistics say, or NULL. */
  readonly tables: Statement;
  /** Table, index, bytes, scans, whether it is valid. */
  readonly indexes: Statement;
  /** `count(*)` of one table. */
  readonly count: Readonly<Record<(typeof COUNTED)[number], Statement>>;
  /** Threads and checkpoints that expired and are still there. */
  readonly expired: Statement;
  /** `$1` how many: the threads with the most puts, as ids and bytes; the largest first. */
  readonly largest: Statement;
  /** `$1` how many, `$2` percent of the table's pages to look at: ids of threads. */
  readonly sample: Statement;
  /** `$1` thread: its chunks as id, length, children; its values and writes as length, chunks. */
  readonly trees: Statement;
}

export const COUNTED = [
  "threads",
  "checkpoints",
  "values",
  "chunks",
  "writes",
  "adoptions",
] as const;

export const statsStatements: (names: TableNames) => StatsStatements = perStore((names) => {
  const list = COUNTED.map((table) => `('${table}', ${oidOf(table, names)})`).join(", ");
  return {
    tables: statement(
      "stats_tables",
      `SELECT i.key, CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8::text END,
  pg_total_relation_size(c.oid)::text, pg_table_size(c.oid)::text, pg_indexes_size(c.oid)::text,
  COALESCE(s.n_dead_tup, 0)::text,
  (extract(epoch FROM GREATEST(s.last_vacuum, s.last_autovacuum)) * 1000)::int8::text,
  (extract(epoch FROM GREATEST(s.last_analyze, s.last_autoanalyze)) * 1000)::int8::text
FROM (VALUES ${list}) AS i(key, oid) JOIN pg_class c ON c.oid = i.oid
  LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid`,
    ),
    indexes: statement(
      "stats_indexes",
      `SELECT i.key, c.relname::text, pg_relation_size(c.oid)::text, COALESCE(s.idx_scan, 0)::text,
  x.indisvalid::text
FROM (VALUES ${list}) AS i(key, oid) JOIN pg_index x ON x.indrelid = i.oid
  JOIN pg_class c ON c.oid = x.indexrelid LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = c.oid
ORDER BY i.key, c.relname`,
    ),
    count: Object.fromEntries(
      COUNTED.map((table) => [
        table,
        statement(`stats_count_${table}`, `SELECT count(*)::text FROM ${names[table]}`),
      ]),
    ) as unknown as StatsStatements["count"],
    expired: statement(
      "stats_expired",
      `SELECT (SELECT count(*) FROM ${names.threads} WHERE expires_at <= now())::text,
  (SELECT count(*) FROM ${names.checkpoints} WHERE expires_at > ${HIDDEN} AND expires_at <= now())::text`,
    ),
    largest: statement(
      "stats_largest",
      `SELECT t.thread_id, size.bytes::text FROM (
  SELECT t.thread_id FROM ${names.threads} t ORDER BY t.last_seq DESC LIMIT $1::int8
) t CROSS JOIN LATERAL (SELECT ${PARTS.map(
        (table) =>
          `(SELECT COALESCE(sum(${rowBytes(table, "x")}), 0) FROM ${names[table]} x WHERE x.thread_id = t.thread_id)`,
      ).join(" + ")} AS bytes) size
ORDER BY size.bytes DESC, t.thread_id`,
    ),
    sample: statement(
      "stats_sample",
      `SELECT t.thread_id FROM ${names.threads} t TABLESAMPLE SYSTEM ($2::float4)
ORDER BY random() LIMIT $1::int8`,
    ),
    trees: statement(
      "stats_trees",
      `SELECT k.chunk_id::text, octet_length(k.payload)::text, k.children::text
FROM ${names.chunks} k WHERE k.thread_id = $1
UNION ALL SELECT NULL, octet_length(v.payload)::text, v.chunks::text
FROM ${names.values} v WHERE v.thread_id = $1
UNION ALL SELECT NULL, octet_length(w.payload)::text, w.chunks::text
FROM ${names.writes} w WHERE w.thread_id = $1`,
    ),
  };
});

/** The table's oid; the quoted name is text here, so its own quotes are doubled. */
function oidOf(table: (typeof COUNTED)[number], names: TableNames): string {
  const name = `'${names[table].replaceAll("'", "''")}'`;
  // Tables that were not updated yet may lack the one that a later migration made.
  return table === "adoptions" ? `to_regclass(${name})` : `${name}::regclass`;
}
