/** The CTEs that the statements that write consist of. */
import type { TableNames } from "../postgres/identifiers.ts";
import { width } from "./columns.ts";
import type { WriteForm } from "./write-forms.ts";

/** What a lock on a thread's row must find, else the thread is left alone. */
const STILL_HOLDS = `t.generation = w.generation
    AND (t.expires_at IS NULL OR t.expires_at > now())
    AND (w.lease IS NULL OR (t.lease_token = w.lease AND t.lease_expires_at > now()))`;

const MS = "interval '1 ms'";

/**
 * When a thread ends that lives so many milliseconds from now: up to a hundredth of that later, so that
 * most puts leave the column, which has an index, as it is, and their updates stay heap-only.
 */
function endOf(ms: string): string {
  const grid = `(${ms} / 100000.0)`;
  return `to_timestamp(ceil((extract(epoch FROM now()) + ${ms} / 1000.0) / ${grid}) * ${grid})`;
}

export interface WriteCtes {
  /** The first parameters of what comes behind the chunks. */
  readonly first: Readonly<Record<"row" | "value" | "writeOfStep", number>>;
  /** `t`, with the rows of threads locked for a put, or shared by those who add pending writes. */
  readonly lock: string;
  readonly lockOrCreate: string;
  readonly share: string;
  readonly chunks: string;
  readonly checkpoints: string;
  /** Their first parameter is `$at`. */
  values(at: number): string;
  writes(at: number): string;
}

export function writeCtes(names: TableNames, form: WriteForm): WriteCtes {
  const { columns, want, rows, row } = form;
  const chunk = 1 + width(columns.want);
  const afterChunks = chunk + width(columns.chunks);
  const afterCheckpoint = afterChunks + width(columns.checkpoints);
  const first = {
    row: afterChunks,
    value: afterCheckpoint,
    writeOfStep: afterCheckpoint + width(columns.values),
  };

  const lastSeq = "GREATEST(t.last_seq, w.floor) + w.puts";
  const expiresAt = `COALESCE(${endOf("w.ttl_ms")}, t.expires_at)`;
  // Several rows are locked in the order of their ids before they are changed. An UPDATE would look for them as they
  // were when the statement began, and wait there for those who wait for it. The unique index leads to what is locked.
  const lockMany = `held AS MATERIALIZED (
  SELECT w.n, w.puts, t.thread_id, t.generation, ${lastSeq} AS last_seq, ${expiresAt} AS expires_at
  FROM ${names.threads} t JOIN ${want} ON w.thread_id = t.thread_id
  WHERE ${STILL_HOLDS}
  ORDER BY t.thread_id FOR NO KEY UPDATE OF t
), counted AS (
  INSERT INTO ${names.threads} AS t (thread_id, generation, last_seq, updated_at, expires_at)
  SELECT thread_id, generation, last_seq, now(), expires_at FROM held
  ON CONFLICT (thread_id) DO UPDATE SET
    last_seq = excluded.last_seq,
    updated_at = excluded.updated_at,
    expires_at = excluded.expires_at
  RETURNING t.thread_id, t.created_at
), t AS (
  SELECT h.n, h.thread_id, h.generation, c.created_at, h.last_seq - h.puts AS seq
  FROM counted c JOIN held h ON h.thread_id = c.thread_id
)`;
  const lockOne = `t AS (
  UPDATE ${names.threads} t SET last_seq = ${lastSeq}, updated_at = now(), expires_at = ${expiresAt}
  FROM ${want} WHERE t.thread_id = w.thread_id AND ${STILL_HOLDS}
  RETURNING ${form.n} AS n, t.thread_id, t.generation, t.created_at, t.last_seq - w.puts AS seq
)`;

  const lockOrCreate = `upserted AS (
  INSERT INTO ${names.threads} AS t (thread_id, generation, last_seq, updated_at, expires_at)
  SELECT w.thread_id, w.generation, GREATEST(w.floor, 0) + w.puts, now(), ${endOf("w.ttl_ms")}
  FROM ${want} ORDER BY w.thread_id COLLATE "C"
  ON CONFLICT (thread_id) DO UPDATE SET
    last_seq = t.last_seq + excluded.last_seq,
    updated_at = excluded.updated_at,
    expires_at = COALESCE(excluded.expires_at, t.expires_at)
  WHERE t.expires_at IS NULL OR t.expires_at > excluded.updated_at
  RETURNING t.thread_id, t.generation, t.created_at, t.last_seq
), t AS (
  SELECT ${form.n} AS n, u.thread_id, u.generation, u.created_at, u.last_seq - w.puts AS seq
  FROM upserted u JOIN ${want} ON w.thread_id = u.thread_id
)`;

  // Writers of pending writes share the row: a hundred parallel tasks of one thread do not wait for
  // each other's commits, and only a deletion or a collection (FOR UPDATE) shuts them out.
  const share = `t AS MATERIALIZED (
  SELECT ${form.n} AS n, t.thread_id, t.generation, t.created_at
  FROM ${names.threads} t JOIN ${want} ON w.thread_id = t.thread_id
  WHERE ${STILL_HOLDS}
  ORDER BY t.thread_id FOR KEY SHARE OF t
)`;

  const chunks = `stored AS (
  INSERT INTO ${names.chunks} (thread_id, chunk_id, payload, children)
  SELECT t.thread_id, i.chunk_id, i.payload, i.children::uuid[]
  FROM t ${rows(columns.chunks, chunk)}
  ORDER BY t.thread_id, i.chunk_id
  ON CONFLICT (thread_id, chunk_id) DO NOTHING
)`;

  const values = (at: number): string => `valued AS (
  INSERT INTO ${names.values} (thread_id, checkpoint_ns, channel, version, type, payload, chunks)
  SELECT t.thread_id, i.checkpoint_ns, i.channel, i.version, i.type, i.payload, i.chunks::uuid[]
  FROM t ${rows(columns.values, at)}
  ${form.isOne ? "" : "ORDER BY t.thread_id, i.checkpoint_ns, i.channel, i.version"}
  ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
)`;

  const checkpoints = `put AS (
  INSERT INTO ${names.checkpoints} (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, seq,
    execution_id, node_name, version, channel_versions, checkpoint_data, metadata, expires_at)
  SELECT t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.parent_id, t.seq + i.place,
    i.execution_id, i.node_name, i.version, i.channel_versions::json, i.data, i.metadata::jsonb,
    COALESCE(to_timestamp(i.expires_ms / 1000.0), now() + i.ttl_ms * ${MS})
  FROM t ${row(columns.checkpoints, afterChunks)}
  ${form.isOne ? "" : "ORDER BY t.thread_id, i.checkpoint_ns, i.checkpoint_id"}
  ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
    parent_checkpoint_id = excluded.parent_checkpoint_id,
    execution_id = excluded.execution_id,
    node_name = excluded.node_name,
    version = excluded.version,
    channel_versions = excluded.channel_versions,
    checkpoint_data = excluded.checkpoint_data,
    metadata = excluded.metadata,
    expires_at = excluded.expires_at
)`;

  // A write on a special channel (idx < 0: error, interrupt, resume) replaces, any other is kept.
  const writes = (at: number): string => `written AS (
  INSERT INTO ${names.writes} AS kept (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
    channel, type, payload, chunks)
  SELECT t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.task_id, i.idx, i.task_path,
    i.channel, i.type, i.payload, i.chunks::uuid[]
  FROM t ${rows(columns.writes, at)}
  ORDER BY t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.task_id, i.idx
  ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
    task_path = excluded.task_path,
    channel = excluded.channel,
    type = excluded.type,
    payload = excluded.payload,
    chunks = excluded.chunks
  WHERE kept.idx < 0
)`;

  const withWant = (cte: string): string => [...form.ctes, cte].join(", ");
  return {
    first,
    lock: withWant(form.isOne ? lockOne : lockMany),
    lockOrCreate: withWant(lockOrCreate),
    share: withWant(share),
    chunks,
    values,
    checkpoints,
    writes,
  };
}
