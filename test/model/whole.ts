/** What must hold of a thread's rows at any time, worked out row by row and not by the statements under test. */
import assert from "node:assert/strict";
import type pg from "pg";
import { textOf } from "../../src/storage/compression.ts";
import { verifyChunk } from "../../src/values/codec.ts";

/**
 * Looks at the threads, again and again: a checkpoint that was not there at the last look has a higher `seq` than any
 * that was ever there.
 */
export function createWatch(
  pool: pg.Pool,
  schema: string,
  threads: readonly string[],
): () => Promise<void> {
  const text = `SELECT c.checkpoint_ns || '|' || c.checkpoint_id AS id, c.seq::int, t.thread_id || t.created_at::text AS thread
    FROM "${schema}".checkpoints c JOIN "${schema}".checkpoints_threads t USING (thread_id)
    WHERE thread_id = ANY ($1) ORDER BY c.seq`;
  const seen = new Map<string, { ids: Set<string>; highest: number }>();
  return async () => {
    const { rows } = await pool.query<{ id: string; seq: number; thread: string }>({
      name: "watch",
      text,
      values: [threads],
    });
    for (const { id, seq, thread } of rows) {
      const known = seen.get(thread) ?? { ids: new Set(), highest: 0 };
      seen.set(thread, known);
      if (known.ids.has(id)) continue;
      assert(seq > known.highest, `${id} has seq ${seq}, and ${known.highest} was there before`);
      known.highest = seq;
      known.ids.add(id);
    }
  };
}

/** Every version that a checkpoint names has its value, every chunk that is named is there and is what its id says. */
export async function expectWhole(pool: pg.Pool, schema: string, thread: string): Promise<void> {
  const of = async <T extends pg.QueryResultRow>(columns: string, table: string): Promise<T[]> =>
    (
      await pool.query<T>(
        `SELECT ${columns} FROM "${schema}".checkpoints${table} WHERE thread_id = $1`,
        [thread],
      )
    ).rows;
  const checkpoints = await of<{ ns: string; id: string; versions: string }>(
    "checkpoint_ns AS ns, checkpoint_id AS id, channel_versions::text AS versions",
    "",
  );
  const values = await of<{ key: string; chunks: string[] | null }>(
    "checkpoint_ns || '|' || channel || '|' || version AS key, chunks::text[]",
    "_values",
  );
  const writes = await of<{ chunks: string[] | null }>("chunks::text[]", "_writes");
  const rows = await of<{ id: string; payload: Buffer | null; children: string[] | null }>(
    "chunk_id::text AS id, payload, children::text[]",
    "_chunks",
  );
  const chunks = rows.map((row) => ({
    ...row,
    payload: row.payload && textOf(row.payload),
  }));
  const { length: threads } = await of("1", "_threads");
  const left = [...checkpoints, ...values, ...writes, ...chunks].length;
  assert(threads === 1 || left === 0, `the thread is gone, and ${left} rows of it are left`);
  const byKey = new Set(values.map(({ key }) => key));
  for (const { ns, id, versions } of checkpoints) {
    for (const [channel, version] of Object.entries(JSON.parse(versions))) {
      const key = `${ns}|${channel}|${JSON.stringify(version)}`;
      assert(byKey.has(key), `checkpoint ${id} names ${key}, which is not there`);
    }
  }
  const byId = new Map(chunks.map((chunk) => [chunk.id, chunk]));
  for (const chunk of chunks)
    assert(verifyChunk(chunk), `chunk ${chunk.id} is not what its id says`);
  const todo = [...values, ...writes].flatMap((row) => row.chunks ?? []);
  const reached = new Set<string>();
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    const chunk = byId.get(id);
    assert(chunk, `chunk ${id} is missing`);
    todo.push(...(chunk.children ?? []));
  }
}
