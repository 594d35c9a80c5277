/** The benchmark's own server, and an empty database on it for every run. */
import pg from "pg";
import { startServer } from "../test/support/postgres-server.ts";

/** Every saver makes its tables in this schema of a database that is its own. */
export const SCHEMA = "bench";

export interface Databases {
  readonly version: string;
  /** Makes an empty database, or a copy of `template`, and returns its connection string. */
  create(template?: string): Promise<string>;
  drop(url: string): Promise<void>;
  /** Flushes everything, so that no run pays for the writes of the one before it. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export async function startDatabases(): Promise<Databases> {
  const server = await startServer({ version: "18", fsync: true });
  const admin = new pg.Client({ connectionString: server.url() });
  await admin.connect();
  const [row] = (await admin.query<{ server_version: string }>("SHOW server_version")).rows;
  let made = 0;

  return {
    version: row?.server_version ?? "",
    async create(template) {
      made += 1;
      const name = `bench_${made}`;
      // The cheapest of collations, for all: peers index columns in the database's own.
      const origin = template
        ? `TEMPLATE ${nameOf(template)} STRATEGY file_copy`
        : "TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'";
      await admin.query(`CREATE DATABASE ${name} ${origin}`);
      return server.url(name);
    },
    async drop(url) {
      await admin.query(`DROP DATABASE ${nameOf(url)} WITH (FORCE)`);
    },
    async settle() {
      await admin.query("CHECKPOINT");
    },
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}

/** Bytes of all tables of the schema with their indexes and TOAST, as they lie there (nothing is vacuumed first). */
export async function storedBytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::text AS bytes
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'r'`,
    [SCHEMA],
  );
  return Number(rows[0]?.bytes);
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}
