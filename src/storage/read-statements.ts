/** The statements that read. Those that find checkpoints answer in the rows of {@link everythingOf}. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { COMPRESSED } from "./compression.ts";
import {
  alive,
  beginsWith,
  everythingOf,
  micros,
  PAYLOAD_SLICE,
  stored as storedIn,
} from "./everything-of.ts";
import { isRecord } from "./names.ts";

export interface ReadStatements {
  /** `$1` thread, `$2` namespace: its latest checkpoint. */
  readonly latest: Statement;
  /** `$1` threads, `$2` namespaces: of each pair the latest checkpoint, its place the pair's, from 1. */
  readonly latestOfEach: Statement;
  /** `$1` thread, `$2` namespace, `$3` checkpoint id. */
  readonly byId: Statement;
  /** `$1` thread, `$2` chunk ids: those chunks and all below them. */
  readonly chunks: Statement;
  /** `$1` thread ids, `$2` namespaces, `$3` checkpoint ids, `$4` channel: pending writes on that channel. */
  readonly writesOn: Statement;
  /** `$1` thread, `$2` namespace, `$3` checkpoint id or NULL for the latest, `$4` channels. */
  readonly deltaHistory: Statement;
  /**
   * `$1` thread, `$2` namespace, `$3` channel, `$4` version, `$5` generation, `$6` length of the payload: the slice of it
   * that begins with byte `$7`, as base64. Nothing if any of that is not so any more.
   */
  readonly slice: Statement;
  /** `$1` thread: its generation, if it exists and has not expired. */
  readonly thread: Statement;
  /** One page; the parameters are those of `listParameters`, in order. */
  page(shape: PageShape): Statement;
}

/** Which conditions a page's statement has; each combination is one text, prepared once. */
export interface PageShape {
  readonly thread: boolean;
  readonly namespace: boolean;
  readonly id: boolean;
  readonly before: boolean;
  readonly filter: boolean;
  readonly after: boolean;
}

export function readStatements(names: TableNames, isSealed: boolean): ReadStatements {
  const stored = storedIn(isSealed);
  const isCompressed = beginsWith("k.payload", COMPRESSED);
  /** Text, and as base64 what is none. */
  const body = isSealed
    ? "NULL::bytea, encode(k.payload, 'base64')"
    : `CASE WHEN ${isCompressed} THEN NULL ELSE k.payload END,
  CASE WHEN ${isCompressed} THEN encode(k.payload, 'base64') END`;
  /** What a value or write of a history is sealed to, besides what its row says anyway. */
  const sealedTo = (column: string): string => (isSealed ? `, ${column}` : "");
  const one = (label: string, selection: string): Statement =>
    statement(
      label,
      `WITH c AS MATERIALIZED (
  SELECT 0 AS place, c.* FROM ${names.checkpoints} c JOIN ${names.threads} t ON t.thread_id = c.thread_id
  WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 AND ${alive("c")} AND ${alive("t")} ${selection}
)${everythingOf(names, "$1", "writes", isSealed)}`,
    );

  const checkpoint = (id: string): string =>
    `SELECT p.* FROM ${names.checkpoints} p WHERE p.thread_id = $1 AND p.checkpoint_ns = $2 AND p.checkpoint_id = ${id} LIMIT 1`;
  const chunk = `SELECT k.* FROM ${names.chunks} k WHERE k.thread_id = $1 AND k.chunk_id = ids.chunk_id LIMIT 1`;

  const page = (shape: PageShape): Statement => {
    let count = 1; // $1 is the limit.
    const next = (): string => {
      count += 1;
      return `$${count}`;
    };
    const where: string[] = [alive("c"), alive("t")];
    const thread = shape.thread ? next() : undefined;
    const namespace = shape.namespace ? next() : undefined;
    if (thread) where.push(`c.thread_id = ${thread}`);
    // Records are no graph's checkpoints, and a graph that lists its thread must not meet them.
    where.push(namespace ? `c.checkpoint_ns = ${namespace}` : `NOT ${isRecord("c.checkpoint_ns")}`);
    if (shape.id) where.push(`c.checkpoint_id = ${next()}`);
    if (shape.before) {
      const before = next();
      if (thread && namespace) {
        // Within a namespace `seq` is the order; a checkpoint that is not there is placed by its id.
        const seq = `(SELECT b.seq FROM ${names.checkpoints} b WHERE b.thread_id = ${thread}
          AND b.checkpoint_ns = ${namespace} AND b.checkpoint_id = ${before})`;
        where.push(
          `c.seq < COALESCE(${seq}, 9223372036854775807)`,
          `(${seq} IS NOT NULL OR c.checkpoint_id < ${before})`,
        );
      } else {
        where.push(`c.checkpoint_id < ${before}`);
      }
    }
    if (shape.filter) where.push(`c.metadata @> ${next()}::jsonb`);
    // Across threads `seq` says nothing; LangGraph's ids begin with the time.
    const order = shape.thread ? ["c.seq"] : ["c.checkpoint_id", "c.thread_id", "c.checkpoint_ns"];
    if (shape.after) {
      const type = shape.thread ? "::int8" : "";
      where.push(`(${order.join(", ")}) < (${order.map(() => next() + type).join(", ")})`);
    }
    return statement(
      "list",
      `WITH c AS MATERIALIZED (
  SELECT row_number() OVER () AS place, p.* FROM (
    SELECT c.* FROM ${names.checkpoints} c JOIN ${names.threads} t ON t.thread_id = c.thread_id
    WHERE ${where.join(" AND ")}
    ORDER BY ${order.map((column) => `${column} DESC`).join(", ")} LIMIT $1::int8
  ) p
)${everythingOf(names, "c", "writes", isSealed)}`,
    );
  };

  return {
    latest: one("latest", "ORDER BY c.seq DESC LIMIT 1"),
    latestOfEach: statement(
      "latest_of_each",
      `WITH asked AS MATERIALIZED (
  SELECT a.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(thread_id, checkpoint_ns, place)
), c AS MATERIALIZED (
  SELECT asked.place, p.* FROM asked CROSS JOIN LATERAL (
    SELECT c.* FROM ${names.checkpoints} c JOIN ${names.threads} t ON t.thread_id = c.thread_id
    WHERE c.thread_id = asked.thread_id AND c.checkpoint_ns = asked.checkpoint_ns AND ${alive("c")} AND ${alive("t")}
    ORDER BY c.seq DESC LIMIT 1
  ) p
)${everythingOf(names, "asked", "writes", isSealed)}`,
    ),
    byId: one("by_id", "AND c.checkpoint_id = $3"),
    page,
    chunks: statement(
      "chunks",
      `WITH RECURSIVE ids AS (
  SELECT unnest($2::uuid[]) AS chunk_id
  UNION
  SELECT unnest(k.children) FROM ids CROSS JOIN LATERAL (${chunk}) k WHERE k.children IS NOT NULL
)
SELECT k.chunk_id::text, k.children::text, ${body} FROM ids CROSS JOIN LATERAL (${chunk}) k`,
    ),
    writesOn: statement(
      "writes_on",
      `SELECT i.n::text, w.task_id, w.channel, w.task_path, w.idx::text, ${stored("w")}
FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[]) AS i(n, thread_id, checkpoint_ns, checkpoint_id)
CROSS JOIN LATERAL (
  SELECT * FROM ${names.writes} w WHERE w.thread_id = i.thread_id AND w.checkpoint_ns = i.checkpoint_ns
    AND w.checkpoint_id = i.checkpoint_id AND w.channel = $5 OFFSET 0
) w`,
    ),
    deltaHistory: statement(
      "delta_history",
      `WITH RECURSIVE target AS (
  SELECT c.parent_checkpoint_id FROM ${names.checkpoints} c
  WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 AND ($3::text IS NULL OR c.checkpoint_id = $3)
  ORDER BY c.seq DESC LIMIT 1
), chain AS (
  SELECT p.checkpoint_id, p.parent_checkpoint_id, p.channel_versions, 1 AS depth, $4::text[] AS wanted
  FROM target CROSS JOIN LATERAL (${checkpoint("target.parent_checkpoint_id")}) p
  UNION ALL
  SELECT p.checkpoint_id, p.parent_checkpoint_id, p.channel_versions, chain.depth + 1, still.wanted
  FROM chain
    CROSS JOIN LATERAL (
      SELECT array_agg(ch.name) AS wanted FROM unnest(chain.wanted) AS ch(name)
      WHERE (
        SELECT true FROM ${names.values} v WHERE v.thread_id = $1 AND v.checkpoint_ns = $2
          AND v.channel = ch.name AND v.version = (chain.channel_versions -> ch.name)::text
        LIMIT 1
      ) IS NULL
    ) still
    CROSS JOIN LATERAL (${checkpoint("chain.parent_checkpoint_id")}) p
  -- A parent chain cannot be longer than a thread; the bound ends a circle that corrupt rows could make.
  WHERE still.wanted IS NOT NULL AND chain.depth < 1000000
)
SELECT 'thread', NULL, NULL, t.generation::text, ${micros("t.created_at")}, NULL, NULL, NULL, NULL, NULL${sealedTo("NULL")}
FROM ${names.threads} t WHERE t.thread_id = $1
UNION ALL
SELECT 'seed', chain.depth::text, v.channel, NULL, NULL, NULL, ${stored("v")}${sealedTo("v.version")}
FROM chain CROSS JOIN LATERAL unnest(chain.wanted) AS ch(name)
  CROSS JOIN LATERAL (
    SELECT v.* FROM ${names.values} v WHERE v.thread_id = $1 AND v.checkpoint_ns = $2
      AND v.channel = ch.name AND v.version = (chain.channel_versions -> ch.name)::text
    LIMIT 1
  ) v
UNION ALL
SELECT 'write', chain.depth::text, w.channel, w.task_id, w.task_path, w.idx::text, ${stored("w")}${sealedTo("w.checkpoint_id")}
FROM chain CROSS JOIN LATERAL (
    SELECT w.* FROM ${names.writes} w WHERE w.thread_id = $1 AND w.checkpoint_ns = $2
      AND w.checkpoint_id = chain.checkpoint_id AND w.channel = ANY(chain.wanted)
    OFFSET 0
  ) w`,
    ),
    slice: statement(
      "slice",
      `SELECT encode(substr(v.payload, $7::int4, ${PAYLOAD_SLICE}), 'base64')
FROM ${names.threads} t JOIN ${names.values} v ON v.thread_id = t.thread_id
WHERE t.thread_id = $1 AND t.generation = $5::uuid AND v.thread_id = $1 AND v.checkpoint_ns = $2
  AND v.channel = $3 AND v.version = $4 AND octet_length(v.payload) = $6::int4`,
    ),
    thread: statement(
      "thread",
      `SELECT t.generation::text, ${micros("t.created_at")}, ${alive("t")}::text
FROM ${names.threads} t WHERE t.thread_id = $1`,
    ),
  };
}
