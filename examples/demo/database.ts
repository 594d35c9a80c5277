/** The demo's database, and the SQL with which it looks into it past the checkpointer. */
import { createPool, embedded } from "langgraph-postgres";
import type { Order, Sabotage } from "./events.ts";

export interface DemoDatabase {
  readonly pool: ReturnType<typeof createPool>;
  version(): Promise<string>;
  /** The size of all rows of a thread, in bytes, as PostgreSQL counts them. */
  bytesStored(thread: string): Promise<number>;
  /** Damages what is stored, to see that the demo notices. */
  sabotage(what: Sabotage, thread: string): Promise<void>;
  /** Removes everything that the demo stored. */
  clean(): Promise<void>;
  close(): Promise<void>;
}

const TABLES = ["", "_threads", "_values", "_chunks", "_writes"];

/** The server that DATABASE_URL names, else PostgreSQL inside this process. */
export async function openDatabase({ schema, dataDir }: Order): Promise<DemoDatabase> {
  const connString = process.env.DATABASE_URL;
  const pool = connString ? createPool({ connString, maxConns: 4 }) : await embedded(dataDir);
  const [checkpoints, threads, values, chunks, writes] = TABLES.map(
    (suffix) => `"${schema}"."checkpoints${suffix}"`,
  );
  const size = (table: string | undefined): string =>
    `(SELECT coalesce(sum(pg_column_size(t)), 0) FROM ${table} t WHERE t.thread_id = $1)`;
  const bytes = `SELECT ${[checkpoints, threads, values, chunks, writes].map(size).join(" + ")} AS n`;
  const damage: Readonly<Record<Sabotage, readonly string[]>> = {
    writes: [`DELETE FROM ${writes} WHERE thread_id = $1`],
    checkpoint: [
      `DELETE FROM ${checkpoints} c WHERE thread_id = $1
         AND seq = (SELECT max(seq) FROM ${checkpoints} WHERE thread_id = $1)`,
    ],
    thread: [
      `DELETE FROM ${checkpoints} WHERE thread_id = $1`,
      `DELETE FROM ${threads} WHERE thread_id = $1`,
    ],
  };
  return {
    pool,
    async version() {
      const { rows } = await pool.query<{ server_version: string }>("SHOW server_version");
      return rows[0]?.server_version.split(" ")[0] ?? "";
    },
    async bytesStored(thread) {
      const { rows } = await pool.query<{ n: string }>(bytes, [thread]);
      return Number(rows[0]?.n);
    },
    async sabotage(what, thread) {
      for (const statement of damage[what]) await pool.query(statement, [thread]);
    },
    async clean() {
      await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
    },
    close: () => pool.end(),
  };
}
