/**
 * Writing records: checkpoints of namespaces that belong to no graph. What is different from a
 * graph's: `seq` is the record's version, so that the order by version needs no index of its own;
 * and the answer tells what the database gave to each record.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { COLUMNS, unnest } from "./columns.ts";
import { isRecord } from "./names.ts";

/** The CTEs that insert the records whose first parameter is `$first`; they read the locks from `t`. */
export function putRecords(
  names: TableNames,
  first: number,
  ifExists: "replace" | "error",
): string[] {
  // What has expired does not exist, wherever the sweeper is: neither its id nor its version is taken.
  const expired = (label: string, condition: string): string => `${label} AS (
  DELETE FROM ${names.checkpoints} c USING i
  WHERE c.thread_id = i.thread_id AND c.checkpoint_ns = i.checkpoint_ns AND c.expires_at <= now()
    AND ${condition}
  RETURNING 1
)`;
  // The same save again, after its acknowledgement was lost, must change nothing. `checkpoint_data`
  // holds a number that no two saves share.
  const unlessSame = (column: string): string =>
    `${column} = CASE WHEN kept.checkpoint_data = excluded.checkpoint_data THEN kept.${column} ELSE excluded.${column} END`;
  const replace = `ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
    ${["seq", "version", "created_at", "expires_at"].map(unlessSame).join(",\n    ")},
    parent_checkpoint_id = excluded.parent_checkpoint_id,
    execution_id = excluded.execution_id,
    node_name = excluded.node_name,
    channel_versions = excluded.channel_versions,
    checkpoint_data = excluded.checkpoint_data,
    metadata = excluded.metadata`;
  return [
    `i AS MATERIALIZED (
  SELECT t.thread_id, t.seq + i.place AS seq, i.*
  FROM t JOIN ${unnest(COLUMNS.records, "i", first)} ON i.n = t.n
)`,
    expired("same_id", "c.checkpoint_id = i.checkpoint_id"),
    expired(
      "same_version",
      `c.version = i.version AND ${isRecord("c.checkpoint_ns")}
    AND COALESCE(c.execution_id, '') = COALESCE(i.execution_id, '')`,
    ),
    // Counting the deleted rows makes the insertion wait for the deletion.
    `put AS (
  INSERT INTO ${names.checkpoints} AS kept (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
    seq, execution_id, node_name, version, channel_versions, checkpoint_data, metadata, created_at, expires_at)
  SELECT i.thread_id, i.checkpoint_ns, i.checkpoint_id, i.parent_id,
    COALESCE(i.version, i.seq), i.execution_id, i.node_name, COALESCE(i.version, i.seq),
    i.channel_versions::json, i.data, i.metadata::jsonb,
    -- A microsecond apart, so that what was saved together stays in order by time as well.
    COALESCE(to_timestamp(i.created_ms / 1000.0), now() + i.place * interval '1 us'),
    COALESCE(to_timestamp(i.expires_ms / 1000.0), now() + i.ttl_ms * interval '1 ms')
  FROM i, (SELECT count(*) FROM same_id) a, (SELECT count(*) FROM same_version) b
  ORDER BY i.thread_id, i.checkpoint_ns, i.checkpoint_id
  ${ifExists === "replace" ? replace : ""}
  RETURNING kept.thread_id, kept.checkpoint_ns, kept.checkpoint_id, kept.version, kept.created_at,
    kept.expires_at
)`,
  ];
}

/** Per record, its thread as it is now and what the record was given. */
export const RECORDS_ANSWER = `SELECT t.n::text, t.generation::text, (extract(epoch FROM t.created_at) * 1000000)::int8::text,
  p.checkpoint_ns, p.checkpoint_id, p.version::text,
  floor(extract(epoch FROM p.created_at) * 1000)::int8::text,
  floor(extract(epoch FROM p.expires_at) * 1000)::int8::text
FROM t JOIN put p ON p.thread_id = t.thread_id`;
