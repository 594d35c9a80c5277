/**
 * What a statement answers of checkpoints: the checkpoint, the channel values it names, its pending writes and its
 * thread's generation, as rows of several kinds in one shape, so that a read is one round trip and one snapshot.
 *
 * Every column is `text`, or `bytea` that holds UTF-8: the driver decodes any other binary value
 * wrongly, so opaque bytes travel as base64.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { isRecord } from "./names.ts";

export const micros = (column: string): string =>
  `(extract(epoch FROM ${column}) * 1000000)::int8::text`;
const plain = (row: string): string => `${row}.type,
    CASE WHEN ${row}.type = 'json' THEN ${row}.payload END,
    CASE WHEN ${row}.type <> 'json' THEN encode(${row}.payload, 'base64') END,
    ${row}.chunks::text`;

/** What a row brings of an opaque value, in bytes; `large-payloads.ts` fetches the rest of it. */
export const PAYLOAD_SLICE: number = 8 * 1024 * 1024;

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

/** The columns of a value or write, in either kind of store. */
export const stored = (isSealed: boolean): typeof plain => (isSealed ? sealed : plain);

/** A column of UTF-8, which holds opaque bytes in an encrypted store. */
export const opaque = (column: string, isSealed: boolean): string =>
  isSealed ? `convert_to(encode(${column}, 'base64'), 'UTF8')` : column;

/** Whether what a column of bytes holds begins with this one, as all that is sealed or compressed does. */
export const beginsWith = (column: string, byte: number): string =>
  `substring(${column} FROM 1 FOR 1) = '\\x0${byte}'::bytea`;

/** Nothing that has expired is ever seen, whether or not the sweeper has been there. */
export const alive = (row: string): string =>
  `(${row}.expires_at IS NULL OR ${row}.expires_at > now())`;

/**
 * The rows of every kind that belong to the checkpoints in the CTE `c`, which are of the thread in
 * `$1` alone or of any. The threads are that one, those of the checkpoints, or those of the CTE
 * `asked`. In an encrypted store payloads are base64, with all that they are sealed to.
 *
 * Look-ups of single rows are LATERAL with a LIMIT, of several with OFFSET 0: as plain joins they could
 * be planned as joins that read every checkpoint, version or chunk of the thread. On a table that was
 * never analyzed, the planner takes a whole thread for one row.
 */
export function everythingOf(
  names: TableNames,
  threads: "$1" | "c" | "asked",
  more: "writes" | "details",
  isSealed: boolean,
): string {
  const columns = stored(isSealed);
  // LIMIT makes it a look-up for each of a few threads: the planner guesses at how many they are, and
  // would read the table of all threads for them.
  const from =
    threads === "$1"
      ? `FROM ${names.threads} t WHERE t.thread_id = $1`
      : `FROM (SELECT DISTINCT ${threads}.thread_id FROM ${threads}) i
  CROSS JOIN LATERAL (SELECT t.* FROM ${names.threads} t WHERE t.thread_id = i.thread_id LIMIT 1) t`;
  const whole = `${isSealed ? "cv.version::text" : "NULL"}, NULL, NULL, NULL, NULL, ${columns("v")}`;
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
${more === "writes" ? writesOf(names, threads, columns) : detailsOf(names, isSealed)}`;
}

function writesOf(names: TableNames, threads: string, columns: typeof plain): string {
  const rows = `SELECT w.* FROM ${names.writes} w WHERE w.thread_id = c.thread_id
    AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id`;
  // Of one checkpoint, no other plan comes cheaper to the planner.
  const bound = threads === "$1" ? "" : " OFFSET 0";
  return `SELECT 'write', c.place::text, w.task_id, w.channel, w.task_path, w.idx::text, NULL, NULL, ${columns("w")}
FROM c CROSS JOIN LATERAL (${rows}${bound}) w`;
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
