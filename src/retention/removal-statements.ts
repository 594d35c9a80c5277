/**
 * The statements that remove. Each does all that it has to do at once, so that the thread's lock is
 * held for one round trip beyond the work itself. Those that count have the same text, with SELECT
 * where the others delete.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "./per-store.ts";
import { HIDDEN } from "./plan-statements.ts";
import { rowBytes } from "./row-bytes.ts";

/** Every statement but the locks answers rows of kind (a table, or `fresh`), count and bytes. */
export interface RemovalStatements {
  /** `$1` thread, `$2` milliseconds since the epoch or NULL: its generation, unless it was written to since then. */
  readonly lock: Statement;
  /** The same, without waiting for anybody: no row where the thread is locked. */
  readonly lockOrSkip: Statement;
  /**
   * `$1` thread, `$2` and `$3` namespaces and ids of what goes, `$4` the last seq that the plan knew.
   * Where the thread has changed so that the plan no longer holds, `fresh` counts 0 and nothing is done.
   */
  readonly remove: Statement;
  /**
   * The same, and collects the values and chunks that nothing refers to any more: `$5` of each at
   * most. `$6` is the thread's new generation, `$7` and `$8` are namespaces and ids to be hidden.
   */
  readonly collect: Statement;
  /** Makes the plans of a transaction steady where nothing is locked. */
  readonly steady: Statement;
  /** `$1`, `$2`, `$3` as above: counts what all of it would remove. */
  readonly count: Statement;
  /** `$1` thread: removes it whole. */
  readonly removeThread: Statement;
  readonly countThread: Statement;
  /** `$1` thread, `$2` milliseconds: removes its row if nothing else is left and it was idle so long. */
  readonly dropEmpty: Statement;
}

export const removalStatements: (names: TableNames) => RemovalStatements = perStore((names) => ({
  lock: lock(names, "FOR UPDATE"),
  lockOrSkip: lock(names, "FOR UPDATE SKIP LOCKED"),
  remove: statement(
    "remove",
    `WITH ${DOOMED}, ${fresh(names)}, ${goneCheckpoints(names, DELETE)} ${ANSWER("gone_checkpoints", "gone_writes")}
UNION ALL ${FRESH}`,
  ),
  collect: statement(
    "remove_and_collect",
    `WITH RECURSIVE ${DOOMED}, ${fresh(names)}, ${reachable(names)}, ${goneCheckpoints(names, DELETE)},
${goneValues(names, DELETE)}, hiding AS (
  UPDATE ${names.checkpoints} c SET expires_at = ${HIDDEN}
  FROM unnest($7::text[], $8::text[]) AS h(ns, id)
  WHERE c.thread_id = $1 AND c.checkpoint_ns = h.ns AND c.checkpoint_id = h.id AND (SELECT ok FROM fresh)
), renewed AS (
  UPDATE ${names.threads} SET generation = $6::uuid WHERE thread_id = $1 AND (SELECT ok FROM fresh)
) ${ANSWER("gone_checkpoints", "gone_writes", "gone_values", "gone_chunks")}
UNION ALL ${FRESH}`,
  ),
  steady: statement("steady_plans", `SELECT ${STEADY_PLANS}`),
  count: statement(
    "count_removal",
    `WITH RECURSIVE ${DOOMED}, fresh AS (SELECT true AS ok), ${reachable(names)}, ${goneCheckpoints(names, COUNT)},
${goneValues(names, COUNT)} ${ANSWER("gone_checkpoints", "gone_writes", "gone_values", "gone_chunks")}`,
  ),
  removeThread: whole(names, "remove_thread", DELETE),
  countThread: whole(names, "count_thread", COUNT),
  dropEmpty: statement(
    "drop_empty_thread",
    `DELETE FROM ${names.threads} t WHERE t.thread_id = $1
  AND t.updated_at <= now() - $2::int8 * interval '1 ms'
  AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= now())
  ${PARTS.map((table) => `AND NOT EXISTS (SELECT FROM ${names[table]} x WHERE x.thread_id = $1)`).join(" ")}`,
  ),
}));

/** The tables that hold what belongs to a thread. */
export const PARTS = ["checkpoints", "writes", "values", "chunks"] as const;

/**
 * For the rest of the transaction: joins that take time in proportion to the thread, whatever the
 * planner believes its size to be. Without statistics it took a nested loop over a thread's values,
 * twice, and held the lock for seconds. (Where it must use a nested loop all the same, older versions
 * price it so high that they would compile the statement first.)
 */
export const STEADY_PLANS =
  "set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)";

type Verb = (table: string, alias: string, using: string, where: string, bytes: string) => string;

const DELETE: Verb = (table, alias, using, where, bytes) =>
  `DELETE FROM ${table} ${alias} ${using && `USING ${using}`} WHERE ${where} RETURNING ${bytes} AS bytes`;
const COUNT: Verb = (table, alias, using, where, bytes) =>
  `SELECT ${bytes} AS bytes FROM ${table} ${alias}${using && `, ${using}`} WHERE ${where}`;

const DOOMED =
  "doomed AS MATERIALIZED (SELECT d.ns, d.id FROM unnest($2::text[], $3::text[]) AS d(ns, id))";
const FRESH = "SELECT 'fresh', ok::int::text, '0' FROM fresh";

const ANSWER = (...gone: readonly string[]): string =>
  gone
    .map(
      (cte) =>
        `SELECT '${cte.replace("gone_", "")}', count(*)::text, COALESCE(sum(bytes), 0)::text FROM ${cte}`,
    )
    .join(" UNION ALL ");

function lock(names: TableNames, how: string): Statement {
  return statement(
    "lock_to_remove",
    `SELECT t.generation::text, ${STEADY_PLANS} FROM ${names.threads} t
WHERE t.thread_id = $1 AND ($2::int8 IS NULL OR t.updated_at < to_timestamp($2::int8 / 1000.0)) ${how}`,
  );
}

/**
 * Whether the plan still holds: each put since then added a checkpoint (one that replaced another may
 * have changed what it needs), none of these has a parent that is about to go, and none is about to
 * go itself (a record that is saved again gets a new place in its thread).
 */
function fresh(names: TableNames): string {
  return `fresh AS MATERIALIZED (
  SELECT (SELECT t.last_seq FROM ${names.threads} t WHERE t.thread_id = $1) = $4::int8 + count(*)
    AND NOT COALESCE(bool_or(d.id IS NOT NULL), false) AS ok
  FROM ${names.checkpoints} c LEFT JOIN doomed d ON d.ns = c.checkpoint_ns
    AND (d.id = c.parent_checkpoint_id OR d.id = c.checkpoint_id)
  WHERE c.thread_id = $1 AND c.seq > $4::int8
)`;
}

function goneCheckpoints(names: TableNames, verb: Verb): string {
  const where = (row: string): string =>
    `${row}.thread_id = $1 AND ${row}.checkpoint_ns = doomed.ns AND ${row}.checkpoint_id = doomed.id
    AND (SELECT ok FROM fresh)`;
  return `gone_checkpoints AS (
  ${verb(names.checkpoints, "c", "doomed", where("c"), rowBytes("checkpoints", "c"))}
), gone_writes AS (
  ${verb(names.writes, "w", "doomed", where("w"), rowBytes("writes", "w"))}
)`;
}

/** What the checkpoints and writes that stay refer to: `named` versions of channels, `live` chunks. */
function reachable(names: TableNames): string {
  const stays = (row: string): string =>
    `${row}.thread_id = $1 AND NOT EXISTS (
      SELECT FROM doomed d WHERE d.ns = ${row}.checkpoint_ns AND d.id = ${row}.checkpoint_id)`;
  return `named AS MATERIALIZED (
  SELECT DISTINCT c.checkpoint_ns, cv.key AS channel, cv.value::text AS version
  FROM ${names.checkpoints} c CROSS JOIN LATERAL json_each(c.channel_versions) cv WHERE ${stays("c")}
), live(id) AS (
  SELECT root.id FROM (
    SELECT unnest(v.chunks) AS id FROM ${names.values} v JOIN named n
      ON n.checkpoint_ns = v.checkpoint_ns AND n.channel = v.channel AND n.version = v.version
    WHERE v.thread_id = $1 AND v.chunks IS NOT NULL
    UNION ALL
    SELECT unnest(w.chunks) FROM ${names.writes} w WHERE w.chunks IS NOT NULL AND ${stays("w")}
  ) root
  UNION
  SELECT unnest(k.children) FROM live JOIN ${names.chunks} k ON k.thread_id = $1 AND k.chunk_id = live.id
  WHERE k.children IS NOT NULL
)`;
}

function goneValues(names: TableNames, verb: Verb): string {
  const limit = verb === DELETE ? "LIMIT $5::int8" : "";
  return `dead_values AS (
  SELECT v.checkpoint_ns AS ns, v.channel, v.version FROM ${names.values} v
  WHERE v.thread_id = $1 AND NOT EXISTS (
    SELECT FROM named n
    WHERE n.checkpoint_ns = v.checkpoint_ns AND n.channel = v.channel AND n.version = v.version
  ) ${limit}
), dead_chunks AS (
  SELECT k.chunk_id AS id FROM ${names.chunks} k
  WHERE k.thread_id = $1 AND NOT EXISTS (SELECT FROM live WHERE live.id = k.chunk_id) ${limit}
), gone_values AS (
  ${verb(
    names.values,
    "v",
    "dead_values d",
    `v.thread_id = $1 AND v.checkpoint_ns = d.ns AND v.channel = d.channel AND v.version = d.version
    AND (SELECT ok FROM fresh)`,
    rowBytes("values", "v"),
  )}
), gone_chunks AS (
  ${verb(
    names.chunks,
    "k",
    "dead_chunks d",
    "k.thread_id = $1 AND k.chunk_id = d.id AND (SELECT ok FROM fresh)",
    rowBytes("chunks", "k"),
  )}
)`;
}

function whole(names: TableNames, label: string, verb: Verb): Statement {
  const all = PARTS.map(
    (table) =>
      `gone_${table} AS (${verb(names[table], "x", "", "x.thread_id = $1", rowBytes(table, "x"))})`,
  );
  const thread =
    verb === DELETE
      ? `DELETE FROM ${names.threads} WHERE thread_id = $1 RETURNING 0 AS bytes`
      : `SELECT 0 AS bytes FROM ${names.threads} WHERE thread_id = $1`;
  return statement(
    label,
    `WITH ${all.join(", ")}, gone_threads AS (${thread})
${ANSWER(...PARTS.map((table) => `gone_${table}`), "gone_threads")}`,
  );
}
