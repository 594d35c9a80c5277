/** The statements that say what a thread holds and what its checkpoints need of their ancestors. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { SNAPSHOT, TYPE } from "../storage/sealing.ts";
import { perStore } from "./per-store.ts";

export interface PlanStatements {
  /** `$1` thread: its generation and last seq, then a row for each checkpoint. */
  readonly skeleton: Statement;
  /** The same, with the checkpoints' `parents` of their metadata. */
  readonly skeletonWithParents: Statement;
  /** `$1` thread, `$2` namespaces, `$3` checkpoint ids: what those need of their ancestors. */
  readonly needs: Statement;
  /** `$1` thread, `$2` namespaces, `$3` checkpoint ids, `$4` channels: the ancestors, up to the nearest value. */
  readonly walk: Statement;
}

/** LangGraph's name of the channel that carries sends. */
const TASKS = "__pregel_tasks";
/** Metadata in which LangGraph counts, for each DeltaChannel, the steps since its last snapshot. */
const COUNTERS = "counters_since_delta_snapshot";
/**
 * Channels of LangGraph's own, which come and go with every step and are never rebuilt from
 * ancestors. Without this, one that has a version and no value would look like a DeltaChannel.
 */
const INTERNAL = "^(__|branch:|join:|start:)";
/** A thread that nobody wrote to for so long has no run that waits for it. */
const IN_USE = "1 minute";
/**
 * When a link's `expires_at` says so, it is invisible for good but not expired: the sweeper passes
 * it over, and it goes with the last checkpoint that needs it.
 */
export const HIDDEN = "'-infinity'::timestamptz";

export const planStatements: (names: TableNames) => PlanStatements = perStore((names) => ({
  skeleton: skeleton(names, "NULL"),
  skeletonWithParents: skeleton(names, "(c.metadata -> 'parents')::text"),
  needs: statement(
    "needs",
    `WITH f AS MATERIALIZED (
  SELECT c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.channel_versions, c.checkpoint_data,
    CASE WHEN jsonb_typeof(c.metadata -> '${COUNTERS}') = 'object' THEN c.metadata -> '${COUNTERS}'
      ELSE '{}'::jsonb END AS counters
  FROM unnest($2::text[], $3::text[]) AS i(ns, id)
    JOIN ${names.checkpoints} c ON c.thread_id = $1 AND c.checkpoint_ns = i.ns AND c.checkpoint_id = i.id
)
SELECT 'channel', f.checkpoint_ns, f.checkpoint_id, ch.name, (f.counters ? ch.name)::text, NULL
FROM f CROSS JOIN LATERAL (
    SELECT cv.key AS name FROM json_each(f.channel_versions) cv WHERE cv.key !~ '${INTERNAL}'
    UNION
    SELECT jsonb_object_keys(f.counters)
  ) ch
WHERE NOT EXISTS (
  SELECT FROM ${names.values} v WHERE v.thread_id = $1 AND v.checkpoint_ns = f.checkpoint_ns
    AND v.channel = ch.name AND v.version = (f.channel_versions -> ch.name)::text
)
UNION ALL
SELECT 'sends', f.checkpoint_ns, f.checkpoint_id, f.parent_checkpoint_id, f.channel_versions::text,
  encode(f.checkpoint_data, 'base64')
FROM f WHERE EXISTS (
  SELECT FROM ${names.writes} w WHERE w.thread_id = $1 AND w.checkpoint_ns = f.checkpoint_ns
    AND w.checkpoint_id = f.parent_checkpoint_id AND w.channel = '${TASKS}'
)`,
  ),
  walk: statement(
    "needs_walk",
    `WITH RECURSIVE walk AS (
  SELECT p.checkpoint_ns, p.checkpoint_id, p.parent_checkpoint_id, i.channel, ${seed(names, "i.channel")} AS seed
  FROM unnest($2::text[], $3::text[], $4::text[]) AS i(ns, id, channel)
    JOIN ${names.checkpoints} c ON c.thread_id = $1 AND c.checkpoint_ns = i.ns AND c.checkpoint_id = i.id
    JOIN ${names.checkpoints} p ON p.thread_id = $1 AND p.checkpoint_ns = i.ns
      AND p.checkpoint_id = c.parent_checkpoint_id
  -- UNION, not UNION ALL: ancestors that several checkpoints share are walked once, and a circle ends.
  UNION
  SELECT p.checkpoint_ns, p.checkpoint_id, p.parent_checkpoint_id, walk.channel, ${seed(names, "walk.channel")}
  FROM walk JOIN ${names.checkpoints} p ON p.thread_id = $1 AND p.checkpoint_ns = walk.checkpoint_ns
    AND p.checkpoint_id = walk.parent_checkpoint_id
  WHERE walk.seed IS NULL
)
SELECT walk.checkpoint_ns, walk.checkpoint_id, walk.parent_checkpoint_id, walk.channel, walk.seed, EXISTS (
  SELECT FROM ${names.writes} w WHERE w.thread_id = $1 AND w.checkpoint_ns = walk.checkpoint_ns
    AND w.checkpoint_id = walk.checkpoint_id AND w.channel = walk.channel
)::text
FROM walk`,
  ),
}));

function skeleton(names: TableNames, parents: string): Statement {
  return statement(
    "skeleton",
    `SELECT 'thread', t.generation::text, t.last_seq::text,
  (t.updated_at > now() - interval '${IN_USE}')::text, NULL, NULL, NULL, NULL
FROM ${names.threads} t WHERE t.thread_id = $1 AND (t.expires_at IS NULL OR t.expires_at > now())
UNION ALL
SELECT 'checkpoint', c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.seq::text,
  CASE WHEN c.expires_at IS NULL OR c.expires_at > now() THEN 'alive'
    WHEN c.expires_at = ${HIDDEN} THEN 'hidden' ELSE 'expired' END,
  c.execution_id, ${parents}
FROM ${names.checkpoints} c WHERE c.thread_id = $1`,
  );
}

/** What `p` stores of the channel: nothing (NULL), a DeltaSnapshot, or a plain value. */
function seed(names: TableNames, channel: string): string {
  // What a user's own serializer wrote cannot be told apart, so it counts as a snapshot: keeping
  // an ancestor too many costs space, one too few costs state.
  return `(SELECT CASE WHEN v.type = '${TYPE.value}' THEN 'plain' WHEN v.type <> 'json' OR substring(v.payload FROM 1 FOR ${SNAPSHOT.length}) = '${SNAPSHOT}'::bytea
      THEN 'snapshot' ELSE 'plain' END
    FROM ${names.values} v WHERE v.thread_id = $1 AND v.checkpoint_ns = p.checkpoint_ns
      AND v.channel = ${channel} AND v.version = (p.channel_versions -> ${channel})::text)`;
}
