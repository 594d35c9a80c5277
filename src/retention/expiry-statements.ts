/** The statements that find what has expired, and remove threads of which nothing is left. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "./per-store.ts";
import { HIDDEN } from "./plan-statements.ts";
import { PARTS, STEADY_PLANS } from "./removal-statements.ts";

export interface ExpiryStatements {
  /** `$1` how many: the ids and sizes of expired threads that nobody has locked; now they are. */
  readonly lockExpired: Statement;
  /** `$1` how many rows to look at, `$2` thread ids to pass over: threads with expired checkpoints. */
  readonly findExpired: Statement;
  /** `$1` thread ids: those that nobody has locked; now they are. */
  readonly lock: Statement;
  /**
   * `$1` locked thread ids, `$2` milliseconds: removes those that have expired, and the content of
   * those without a living checkpoint, with the thread's row if it was idle so long. Answers a row
   * of kind, count and ids for each kind.
   */
  readonly sweep: Statement;
  /** `$1` text: true if nobody else has the advisory lock; it ends with the transaction. */
  readonly tryAlone: Statement;
}

/** Checkpoints ever put into a thread, from which on it is not removed in one go while it may be used. */
const LONG = 1000;

export const expiryStatements: (names: TableNames) => ExpiryStatements = perStore((names) => ({
  lockExpired: statement(
    "lock_expired_threads",
    `SELECT t.thread_id, t.last_seq::text, ${STEADY_PLANS} FROM ${names.threads} t
WHERE t.expires_at <= now() ORDER BY t.expires_at LIMIT $1::int8 FOR UPDATE SKIP LOCKED`,
  ),
  findExpired: statement(
    "find_expired",
    `SELECT DISTINCT c.thread_id FROM (
  SELECT c.thread_id FROM ${names.checkpoints} c
  WHERE c.expires_at > ${HIDDEN} AND c.expires_at <= now() AND c.thread_id <> ALL ($2::text[])
  ORDER BY c.expires_at LIMIT $1::int8
) c`,
  ),
  lock: statement(
    "lock_threads",
    `SELECT t.thread_id, ${STEADY_PLANS} FROM ${names.threads} t
WHERE t.thread_id = ANY ($1::text[]) FOR UPDATE SKIP LOCKED`,
  ),
  sweep: statement(
    "sweep_threads",
    `WITH gone AS MATERIALIZED (
  SELECT t.thread_id, t.expires_at IS NOT NULL AND t.expires_at <= now() AS expired,
    t.updated_at <= now() - $2::int8 * interval '1 ms'
      AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= now()) AS idle
  FROM ${names.threads} t
  WHERE t.thread_id = ANY ($1::text[]) AND (t.expires_at IS NOT NULL AND t.expires_at <= now()
    -- A long one goes by and by, so that nobody who wants to go on with it has to wait for all of it.
    OR t.last_seq <= ${LONG} AND NOT EXISTS (
      SELECT FROM ${names.checkpoints} c
      WHERE c.thread_id = t.thread_id AND (c.expires_at IS NULL OR c.expires_at > now())
    -- Writes may be there before their checkpoint: its thread is not without life.
    ) AND NOT EXISTS (
      SELECT FROM ${names.writes} w WHERE w.thread_id = t.thread_id AND NOT EXISTS (
        SELECT FROM ${names.checkpoints} c WHERE c.thread_id = w.thread_id
          AND c.checkpoint_ns = w.checkpoint_ns AND c.checkpoint_id = w.checkpoint_id)
    ))
), ${PARTS.map(
      (table) => `gone_${table} AS (
  DELETE FROM ${names[table]} x USING gone g
  WHERE x.thread_id = g.thread_id AND x.thread_id = ANY ($1::text[]) RETURNING 1
)`,
    ).join(", ")}, gone_threads AS (
  DELETE FROM ${names.threads} t USING gone g WHERE t.thread_id = g.thread_id AND (g.expired OR g.idle)
), renewed AS (
  UPDATE ${names.threads} t SET generation = gen_random_uuid()
  FROM gone g WHERE t.thread_id = g.thread_id AND NOT (g.expired OR g.idle)
)
SELECT 'checkpoints', count(*)::text, NULL FROM gone_checkpoints
UNION ALL SELECT 'threads', count(*) FILTER (WHERE expired)::text, COALESCE(json_agg(thread_id), '[]')::text FROM gone`,
  ),
  tryAlone: statement(
    "try_sweep_lock",
    "SELECT pg_try_advisory_xact_lock(hashtextextended($1::text, 0))::text",
  ),
}));
