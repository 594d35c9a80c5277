/** The benchmark's own server, and empty databases on it for every run. */
import pg from "pg";
import { startServer } from "../test/support/postgres-server.ts";

/** Every saver makes its tables in this schema of a database that is its own. */
export const SCHEMA = "bench";

export interface Databases {
  /** Makes an empty database, or a copy of `template`, and returns its connection string. */
  create(template?: string): Promise<string>;
  drop(url: string): Promise<void>;
  /** Flushes everything, so that no run pays for the writes of the one before it. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseServer {
  readonly version: string;
  /** The connection string of whoever may create databases. */
  readonly url: string;
  stop(): Promise<void>;
}

export async function startDatabaseServer(): Promise<DatabaseServer> {
  const server = await startServer({ version: "18", fsync: true });
  const admin = new pg.Client({ connectionString: server.url() });
  await admin.connect();
  const [row] = (await admin.query<{ server_version: string }>("SHOW server_version")).rows;
  await admin.end();
  return { version: row?.server_version ?? "", url: server.url(), stop: () => server.stop() };
}

/** `prefix` begins the names of the databases that are made. */
export async function connectDatabases(server: string, prefix: string): Promise<Databases> {
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  let made = 0;

  return {
    async create(template) {
      made += 1;
      const name = `${prefix}_${made}`;
      // The cheapest of collations, for all: peers index columns in the database's own.
      const origin = template
        ? `TEMPLATE ${nameOf(template)} STRATEGY file_copy`
        : "TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'";
      await admin.query(`CREATE DATABASE ${name} ${origin}`);
      return Object.assign(new URL(server), { pathname: `/${name}` }).href;
    },
    async drop(url) {
      await admin.query(`DROP DATABASE ${nameOf(url)} WITH (FORCE)`);
    },
    async settle() {
      await admin.query("CHECKPOINT");
    },
    close: () => admin.end(),
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
