/** The saver under test on each backend, in a schema of its own. */
import { createPool, type DbPool, PostgresSaver } from "../../src/index.ts";
import { type Backend, backends, servers } from "../support/backends.ts";

export { type Backend, backends, servers };

/** The newest server, for tests too heavy to run on every backend. */
export const newest: Backend = backends.find(({ name }) => name === "postgres-18") as Backend;

/** `T_threads`, `T`, … of the default table name. */
const TABLES = ["threads", "", "values", "chunks", "writes"].map((suffix) =>
  suffix === "" ? "checkpoints" : `checkpoints_${suffix}`,
);

export interface OpenSaver {
  readonly saver: PostgresSaver;
  readonly pool: DbPool;
  readonly schema: string;
  /** Undefined on the embedded backend. */
  readonly connString: string | undefined;
  /** Another saver on the same tables that has seen nothing yet; with a pool of its own where there can be two. */
  fresh(): PostgresSaver;
  /** The same on the pool of `saver`: cheap. */
  empty(): PostgresSaver;
  /** Removes every row of every thread. */
  clear(): Promise<void>;
  /** The rows of a query; in it, `:schema` stands for the schema. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** How many rows each table holds of the thread, or of all threads. */
  rowCounts(thread?: string): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export async function openSaver(
  backend: Backend,
  options: { maxConns?: number } = {},
): Promise<OpenSaver> {
  const { pool, schema, connString, close } = await backend.open(options);
  const saver = new PostgresSaver(pool, undefined, { schema });
  await saver.setup();
  const pools: DbPool[] = [];

  const sql: OpenSaver["sql"] = async (text, values = []) => {
    const client = await pool.connect();
    try {
      const query = { text: text.replaceAll(":schema", `"${schema}"`), values };
      return (await client.query(query)).rows as Record<string, unknown>[];
    } finally {
      client.release();
    }
  };

  return {
    saver,
    pool,
    schema,
    connString,
    empty: () => new PostgresSaver(pool, undefined, { schema }),
    async clear() {
      for (const table of TABLES) await sql(`DELETE FROM :schema.${table}`);
    },
    fresh() {
      if (connString === undefined) return new PostgresSaver(pool, undefined, { schema });
      const own = createPool({ connString, maxConns: 2 });
      pools.push(own);
      return new PostgresSaver(own, undefined, { schema });
    },
    sql,
    async rowCounts(thread) {
      const where = thread === undefined ? "" : "WHERE thread_id = $1";
      const counts = TABLES.map(
        (table) => `(SELECT count(*)::int FROM :schema.${table} ${where}) AS ${table}`,
      );
      const [row] = await sql(`SELECT ${counts.join(", ")}`, thread === undefined ? [] : [thread]);
      return row as Record<string, number>;
    },
    async close() {
      await Promise.all(pools.map((own) => own.end?.()));
      await close();
    },
  };
}
