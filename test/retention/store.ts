/** A storage on each backend, the saver over it, and a look at its rows that trusts neither. */
import { expect } from "vitest";
import { createPool, type DbPool, PostgresSaver } from "../../src/index.ts";
import type { StorageSettings } from "../../src/options.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { type Backend, backends } from "../support/backends.ts";

/** One of each kind: several connections, and one. */
export const newest: readonly Backend[] = backends.filter(({ name }) => name !== "postgres-14");
/** For what needs several connections. */
export const server: Backend = backends.find(({ name }) => name === "postgres-18") as Backend;

export interface OpenStore {
  readonly storage: Storage;
  readonly saver: PostgresSaver;
  /** Another storage on the same tables that knows nothing yet; of its own pool where there can be two. */
  another(settings?: StorageSettings): Storage;
  /** Another storage over the same pool that knows nothing yet. */
  fresh(): Storage;
  /** The rows of a query; in it, `:schema` stands for the schema. */
  sql<T = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]>;
  /** How many rows each table holds of the thread, or of all threads. */
  rows(thread?: string): Promise<Rows>;
  close(): Promise<void>;
}

export interface Rows {
  checkpoints: number;
  writes: number;
  values: number;
  chunks: number;
}

const SUFFIX = { checkpoints: "", writes: "_writes", values: "_values", chunks: "_chunks" };

export async function openStore(
  backend: Backend,
  settings: StorageSettings = {},
  options: { maxConns?: number } = {},
): Promise<OpenStore> {
  const { pool, schema, connString, close } = await backend.open(options);
  const storage = openStorage({ pool, owned: false, settings: { ...settings, schema } });
  await storage.setup();
  const pools: DbPool[] = [];
  const sql: OpenStore["sql"] = async (text, values = []) => {
    const client = await pool.connect();
    try {
      const query = { text: text.replaceAll(":schema", `"${schema}"`), values };
      return (await client.query(query)).rows as never[];
    } finally {
      client.release();
    }
  };
  return {
    storage,
    saver: new PostgresSaver(storage),
    another(more = {}) {
      const own = connString === undefined ? pool : createPool({ connString, maxConns: 4 });
      if (own !== pool) pools.push(own);
      return openStorage({ pool: own, owned: false, settings: { ...settings, ...more, schema } });
    },
    fresh: () => openStorage({ pool, owned: false, settings: { ...settings, schema } }),
    sql,
    async rows(thread) {
      const where = thread === undefined ? "" : "WHERE thread_id = $1";
      const counts = Object.entries(SUFFIX).map(
        ([table, suffix]) =>
          `(SELECT count(*)::int FROM :schema.checkpoints${suffix} ${where}) AS ${table}`,
      );
      const [row] = await sql<Rows>(
        `SELECT ${counts.join(", ")}`,
        thread === undefined ? [] : [thread],
      );
      return row as Rows;
    },
    async close() {
      await Promise.all(pools.map((own) => own.end?.()));
      await close();
    },
  };
}

/**
 * No value that no checkpoint names, no chunk that nothing reaches, no chunk missing. Worked out here
 * row by row, not by the statements under test.
 */
export async function expectTidy(store: OpenStore): Promise<void> {
  const at = (table: string) => `:schema.checkpoints${table}`;
  const named = new Set(
    (
      await store.sql<{ key: string }>(
        `SELECT thread_id || '|' || checkpoint_ns || '|' || cv.key || '|' || cv.value::text AS key
        FROM ${at("")}, json_each(channel_versions) cv`,
      )
    ).map(({ key }) => key),
  );
  const values = await store.sql<{ key: string; roots: string[] }>(
    `SELECT thread_id || '|' || checkpoint_ns || '|' || channel || '|' || version AS key,
      ARRAY(SELECT thread_id || '|' || unnest(chunks)) AS roots FROM ${at("_values")}`,
  );
  expect(values.filter(({ key }) => !named.has(key))).toEqual([]);
  const writes = await store.sql<{ roots: string[] }>(
    `SELECT ARRAY(SELECT thread_id || '|' || unnest(chunks)) AS roots FROM ${at("_writes")}`,
  );
  const chunks = new Map(
    (
      await store.sql<{ key: string; children: string[] }>(
        `SELECT thread_id || '|' || chunk_id AS key,
          ARRAY(SELECT thread_id || '|' || unnest(children)) AS children FROM ${at("_chunks")}`,
      )
    ).map(({ key, children }) => [key, children]),
  );
  const reached = new Set<string>();
  const todo = [...values, ...writes].flatMap(({ roots }) => roots);
  for (let key = todo.pop(); key !== undefined; key = todo.pop()) {
    if (reached.has(key)) continue;
    reached.add(key);
    expect(chunks.has(key), `chunk ${key} is missing`).toBe(true);
    todo.push(...(chunks.get(key) ?? []));
  }
  expect([...chunks.keys()].filter((key) => !reached.has(key))).toEqual([]);
}
