/**
 * The statements that write. Each does everything for one batch of operations at once: one round
 * trip, one commit, visible whole or not at all.
 *
 * Parameters are columns: one array per column, and `n` in every row says which thread of `want` it
 * belongs to. All rows that are inserted read from `t`, the CTE that holds the threads' row locks:
 * in one statement CTEs run in no promised order, and reading from `t` is what makes them wait for it.
 * A thread that is not in `t` (its generation moved, its lease was lost, it expired) gets nothing.
 *
 * Rows are inserted in key order and threads locked in id order, so that two processes with
 * overlapping batches wait for each other instead of deadlocking. `DO UPDATE SET` uses `excluded`
 * and parameters only: distributed engines refuse `now()` there.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { COLUMNS, unnest, width } from "./columns.ts";
import { putRecords, RECORDS_ANSWER } from "./record-statements.ts";

export interface WriteStatements {
  /** put on threads whose generation the writer knows and the statement proves. */
  readonly putKnown: Statement;
  /** put on threads the writer knows nothing of: creates the thread's row where there is none. */
  readonly putUnknown: Statement;
  /** put of records: their version is their place in the thread unless they bring one. */
  readonly recordKnown: Statement;
  readonly recordUnknown: Statement;
  /** The same, refused (23505) where the record exists. */
  readonly newRecordKnown: Statement;
  readonly newRecordUnknown: Statement;
  readonly writesKnown: Statement;
  /** puts, and pending writes of the same threads. */
  readonly stepKnown: Statement;
  readonly writesUnknown: Statement;
}

/** What a lock on a thread's row must find, else the thread is left alone. */
const STILL_HOLDS = `t.generation = w.generation
    AND (t.expires_at IS NULL OR t.expires_at > now())
    AND (w.lease IS NULL OR (t.lease_token = w.lease AND t.lease_expires_at > now()))`;

const MS = "interval '1 ms'";

/**
 * The limit leaves nothing out. Where the server plans for any number of threads, it takes a limit
 * that it does not know for one row, and so looks the rows of threads up by their keys: a plan that
 * reads whole tables may be kept from the time when they were empty.
 */
const want = `want AS (SELECT * FROM ${unnest(COLUMNS.want, "w", 1)} LIMIT cardinality($1::int4[]))`;
const FIRST_CHUNK = 1 + width(COLUMNS.want);
const FIRST_ROW = FIRST_CHUNK + width(COLUMNS.chunks);
const FIRST_VALUE = FIRST_ROW + width(COLUMNS.checkpoints);
const FIRST_VALUE_OF_RECORD = FIRST_ROW + width(COLUMNS.records);
const FIRST_WRITE_OF_STEP = FIRST_VALUE + width(COLUMNS.values);

const answer = `SELECT t.n::text, t.generation::text, (extract(epoch FROM t.created_at) * 1000000)::int8::text
FROM t`;

/**
 * When a thread ends that lives so many milliseconds from now: up to a hundredth of that later, so that
 * most puts leave the column, which has an index, as it is, and their updates stay heap-only.
 */
function endOf(ms: string): string {
  const grid = `(${ms} / 100000.0)`;
  return `to_timestamp(ceil((extract(epoch FROM now()) + ${ms} / 1000.0) / ${grid}) * ${grid})`;
}

export function writeStatements(names: TableNames): WriteStatements {
  const lockKnown = `held AS MATERIALIZED (
  SELECT w.n, w.puts, w.floor, w.ttl_ms, t.thread_id
  FROM ${names.threads} t JOIN want w ON w.thread_id = t.thread_id
  WHERE ${STILL_HOLDS}
  ORDER BY t.thread_id FOR NO KEY UPDATE OF t
), t AS (
  UPDATE ${names.threads} t SET
    last_seq = GREATEST(t.last_seq, h.floor) + h.puts,
    updated_at = now(),
    expires_at = COALESCE(${endOf("h.ttl_ms")}, t.expires_at)
  FROM held h WHERE h.thread_id = t.thread_id
  RETURNING h.n, t.thread_id, t.generation, t.created_at, t.last_seq - h.puts AS seq
)`;

  const lockOrCreate = `upserted AS (
  INSERT INTO ${names.threads} AS t (thread_id, generation, last_seq, updated_at, expires_at)
  SELECT w.thread_id, w.generation, GREATEST(w.floor, 0) + w.puts, now(), ${endOf("w.ttl_ms")}
  FROM want w ORDER BY w.thread_id COLLATE "C"
  ON CONFLICT (thread_id) DO UPDATE SET
    last_seq = t.last_seq + excluded.last_seq,
    updated_at = excluded.updated_at,
    expires_at = COALESCE(excluded.expires_at, t.expires_at)
  WHERE t.expires_at IS NULL OR t.expires_at > excluded.updated_at
  RETURNING t.thread_id, t.generation, t.created_at, t.last_seq
), t AS (
  SELECT w.n, u.thread_id, u.generation, u.created_at, u.last_seq - w.puts AS seq
  FROM upserted u JOIN want w ON w.thread_id = u.thread_id
)`;

  // Writers of pending writes share the row: a hundred parallel tasks of one thread do not wait for
  // each other's commits, and only a deletion or a collection (FOR UPDATE) shuts them out.
  const shareKnown = `t AS MATERIALIZED (
  SELECT w.n, t.thread_id, t.generation, t.created_at
  FROM ${names.threads} t JOIN want w ON w.thread_id = t.thread_id
  WHERE ${STILL_HOLDS}
  ORDER BY t.thread_id FOR KEY SHARE OF t
)`;

  const chunks = `stored AS (
  INSERT INTO ${names.chunks} (thread_id, chunk_id, payload, children)
  SELECT t.thread_id, i.chunk_id, i.payload, i.children::uuid[]
  FROM t JOIN ${unnest(COLUMNS.chunks, "i", FIRST_CHUNK)} ON i.n = t.n
  ORDER BY t.thread_id, i.chunk_id
  ON CONFLICT (thread_id, chunk_id) DO NOTHING
)`;

  const values = (first: number): string => `valued AS (
  INSERT INTO ${names.values} (thread_id, checkpoint_ns, channel, version, type, payload, chunks)
  SELECT t.thread_id, i.checkpoint_ns, i.channel, i.version, i.type, i.payload, i.chunks::uuid[]
  FROM t JOIN ${unnest(COLUMNS.values, "i", first)} ON i.n = t.n
  ORDER BY t.thread_id, i.checkpoint_ns, i.channel, i.version
  ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
)`;

  const checkpoints = `put AS (
  INSERT INTO ${names.checkpoints} (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, seq,
    execution_id, node_name, version, channel_versions, checkpoint_data, metadata, expires_at)
  SELECT t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.parent_id, t.seq + i.place,
    i.execution_id, i.node_name, i.version, i.channel_versions::json, i.data, i.metadata::jsonb,
    COALESCE(to_timestamp(i.expires_ms / 1000.0), now() + i.ttl_ms * ${MS})
  FROM t JOIN ${unnest(COLUMNS.checkpoints, "i", FIRST_ROW)} ON i.n = t.n
  ORDER BY t.thread_id, i.checkpoint_ns, i.checkpoint_id
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
  const writes = (first: number): string => `written AS (
  INSERT INTO ${names.writes} AS kept (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
    channel, type, payload, chunks)
  SELECT t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.task_id, i.idx, i.task_path,
    i.channel, i.type, i.payload, i.chunks::uuid[]
  FROM t JOIN ${unnest(COLUMNS.writes, "i", first)} ON i.n = t.n
  ORDER BY t.thread_id, i.checkpoint_ns, i.checkpoint_id, i.task_id, i.idx
  ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
    task_path = excluded.task_path,
    channel = excluded.channel,
    type = excluded.type,
    payload = excluded.payload,
    chunks = excluded.chunks
  WHERE kept.idx < 0
)`;

  const text = (...ctes: string[]): string => `WITH ${[want, ...ctes].join(", ")}\n${answer}`;
  const records = (lock: string, ifExists: "replace" | "error"): string =>
    `WITH ${[want, lock, chunks, values(FIRST_VALUE_OF_RECORD), ...putRecords(names, FIRST_ROW, ifExists)].join(", ")}
${RECORDS_ANSWER}`;

  return {
    putKnown: statement("put", text(lockKnown, chunks, values(FIRST_VALUE), checkpoints)),
    putUnknown: statement("put_new", text(lockOrCreate, chunks, values(FIRST_VALUE), checkpoints)),
    recordKnown: statement("record", records(lockKnown, "replace")),
    recordUnknown: statement("record_new", records(lockOrCreate, "replace")),
    newRecordKnown: statement("once", records(lockKnown, "error")),
    newRecordUnknown: statement("once_new", records(lockOrCreate, "error")),
    writesKnown: statement("writes", text(shareKnown, chunks, writes(FIRST_ROW))),
    stepKnown: statement(
      "step",
      text(lockKnown, chunks, values(FIRST_VALUE), checkpoints, writes(FIRST_WRITE_OF_STEP)),
    ),
    writesUnknown: statement("writes_new", text(lockOrCreate, chunks, writes(FIRST_ROW))),
  };
}
