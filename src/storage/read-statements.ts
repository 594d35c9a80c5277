/**
 * The statements that read. A checkpoint, the channel values it names, its pending writes and its
 * thread's generation come in one answer, as rows of several kinds in one shape (`ReadRow`), so that
 * a warm read is one round trip and one snapshot.
 *
 * Every column is `text`, or `bytea` that holds UTF-8: the driver decodes any other binary value
 * wrongly, so opaque bytes travel as base64.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { isRecord } from "./names.ts";

export interface ReadStatements {
  /** `$1` thread, `$2` namespace: its latest checkpoint. */
  readonly latest: Statement;
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

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::int8::text`;
const plain = (row: string): string => `${row}.type,
    CASE WHEN ${row}.type = 'json' THEN ${row}.payload END,
    CASE WHEN ${row}.type <> 'json' THEN encode(${row}.payload, 'base64') END,
    ${row}.chunks::text`;

/** What a row brings of an opaque value, in bytes; `large-payloads.ts` fetches the rest of it. */
const PAYLOAD_SLICE = 8 * 1024 * 1024;

/** A row of values from its version on. Version and length are told of a payload that is longer than that. */
const plainStart = (row: string): string => {
  const ifLarge = (column: string): string =>
    `CASE WHEN ${row}.type <> 'json' AND octet_length(${row}.payload) > ${PAYLOAD_SLICE} THEN ${column} END`;
  return `${ifLarge("cv.version::text")}, ${ifLarge(`octet_length(${row}.payload)::text`)}, NULL, NULL, NULL, ${row}.type,
    CASE WHEN ${row}.type = 'json' THEN ${row}.payload END,
    CASE WHEN ${row}.type <> 'json' THEN encode(substr(${row}.payload, 1, ${PAYLOAD_SLICE}), 'base64') END,
    ${row}.chunks::text`;
};

/** Of an encrypted store all is opaque. */
const sealed = (row: string): string =>
  `${row}.type, NULL::bytea, encode(${row}.payload, 'base64'), ${row}.chunks::text`;
/** A column of UTF-8, which holds opaque bytes in an encrypted store. */
export const opaque = (column: string, isSealed: boolean): string =>
  isSealed ? `convert_to(encode(${column}, 'base64'), 'UTF8')` : column;

/** Nothing that has expired is ever seen, whether or not the sweeper has been there. */
export const alive = (row: string): string =>
  `(${row}.expires_at IS NULL OR ${row}.expires_at > now())`;

/**
 * The rows of every kind that belong to the checkpoints in the CTE `c`, which are of the thread in
 * `$1` alone or of any. In an encrypted store payloads are base64, with all that they are sealed to.
 *
 * Look-ups of single rows are LATERAL with a LIMIT, of several with OFFSET 0: as plain joins they could
 * be planned as joins that read every checkpoint, version or chunk of the thread. On a table that was
 * never analyzed, the planner takes a whole thread for one row.
 */
export function everythingOf(
  names: TableNames,
  threads: "$1" | "any",
  more: "writes" | "details",
  isSealed: boolean,
): string {
  const stored = isSealed ? sealed : plain;
  // LIMIT makes it a look-up for each of a few threads: the planner guesses at how many they are, and
  // would read the table of all threads for them.
  const from =
    threads === "$1"
      ? `FROM ${names.threads} t WHERE t.thread_id = $1`
      : `FROM (SELECT DISTINCT c.thread_id FROM c) i
  CROSS JOIN LATERAL (SELECT t.* FROM ${names.threads} t WHERE t.thread_id = i.thread_id LIMIT 1) t`;
  const whole = `${isSealed ? "cv.version::text" : "NULL"}, NULL, NULL, NULL, NULL, ${stored("v")}`;
  // What runs the statements with details knows nothing of slices.
  const value = isSealed || more === "details" ? whole : plainStart("v");
  return `
SELECT 'thread', NULL, t.thread_id, t.generation::text, ${micros("t.created_at")}, NULL, NULL, NULL, NULL, NULL, NULL, NULL
${from}
UNION ALL
SELECT 'checkpoint', c.place::text, c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id,
  c.seq::text, c.channel_versions::text, NULL, ${opaque("c.checkpoint_data", isSealed)}, NULL, NULL
FROM c
UNION ALL
SELECT 'value', c.place::text, cv.channel, ${value}
FROM c CROSS JOIN LATERAL json_each(c.channel_versions) AS cv(channel, version)
  CROSS JOIN LATERAL (
    SELECT v.type, v.payload, v.chunks FROM ${names.values} v
    WHERE v.thread_id = c.thread_id AND v.checkpoint_ns = c.checkpoint_ns
      AND v.channel = cv.channel AND v.version = cv.version::text
    LIMIT 1
  ) v
UNION ALL
${more === "writes" ? writesOf(names, stored) : detailsOf(names, isSealed)}`;
}

function writesOf(names: TableNames, stored: typeof plain): string {
  return `SELECT 'write', c.place::text, w.task_id, w.channel, w.task_path, w.idx::text, NULL, NULL, ${stored("w")}
FROM c JOIN ${names.writes} w ON w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns
  AND w.checkpoint_id = c.checkpoint_id`;
}

/** The columns that make a record, and the parent's data: what a graph's step ran shows only against it. */
function detailsOf(names: TableNames, isSealed: boolean): string {
  const sealedTo = isSealed ? "p.parent_checkpoint_id, p.channel_versions::text" : "NULL, NULL";
  const parent = `${sealedTo}, ${opaque("p.checkpoint_data", isSealed)}`;
  return `SELECT 'details', c.place::text, c.execution_id, c.node_name, c.version::text, ${micros("c.created_at")},
  ${micros("c.expires_at")}, ${parent}, NULL, NULL
FROM c LEFT JOIN LATERAL (
    SELECT p.checkpoint_data${isSealed ? ", p.parent_checkpoint_id, p.channel_versions" : ""} FROM ${names.checkpoints} p
    WHERE p.thread_id = c.thread_id AND p.checkpoint_ns = c.checkpoint_ns
      AND p.checkpoint_id = c.parent_checkpoint_id AND NOT ${isRecord("c.checkpoint_ns")}
    LIMIT 1
  ) p ON true`;
}

export function readStatements(names: TableNames, isSealed: boolean): ReadStatements {
  const stored = isSealed ? sealed : plain;
  const body = isSealed ? "encode(k.payload, 'base64')" : "k.payload";
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
)${everythingOf(names, "any", "writes", isSealed)}`,
    );
  };

  return {
    latest: one("latest", "ORDER BY c.seq DESC LIMIT 1"),
    byId: one("by_id", "AND c.checkpoint_id = $3"),
    page,
    chunks: statement(
      "chunks",
      `WITH RECURSIVE ids AS (
  SELECT unnest($2::uuid[]) AS chunk_id
  UNION
  SELECT unnest(k.children) FROM ids CROSS JOIN LATERAL (${chunk}) k WHERE k.children IS NOT NULL
)
SELECT k.chunk_id::text, ${body}, k.children::text FROM ids CROSS JOIN LATERAL (${chunk}) k`,
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
