/** What a row weighs: its columns as they are stored, TOASTed ones included, and the tuple's header. */

const TUPLE_HEADER = 24;

const COLUMNS = {
  checkpoints: [
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "parent_checkpoint_id",
    "seq",
    "execution_id",
    "node_name",
    "version",
    "channel_versions",
    "checkpoint_data",
    "metadata",
    "created_at",
  ],
  values: ["thread_id", "checkpoint_ns", "channel", "version", "type", "payload", "chunks"],
  chunks: ["thread_id", "chunk_id", "payload", "children"],
  writes: [
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "task_id",
    "idx",
    "task_path",
    "channel",
    "type",
    "payload",
    "chunks",
  ],
} as const;

/**
 * SQL for the bytes of one row of `alias`. `pg_column_size` asks no stored value to be fetched or
 * decompressed, so summing it over a thread costs what reading the thread's rows costs.
 */
export function rowBytes(table: keyof typeof COLUMNS, alias: string): string {
  const sizes = COLUMNS[table].map((column) => `COALESCE(pg_column_size(${alias}.${column}), 0)`);
  return `(${TUPLE_HEADER} + ${sizes.join(" + ")})`;
}
