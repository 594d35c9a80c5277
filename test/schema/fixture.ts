/** A database, names that no other test uses, and raw SQL beside them. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import {
  createDatabase,
  createPool,
  type Database,
  type DbClient,
  type DbPool,
  type TableNames,
  tableNames,
} from "../../src/postgres/index.ts";
import { loadMigrations } from "../../src/schema/migration-files.ts";
import type { Backend, OpenBackend } from "../support/backends.ts";

/** Every migration, so that a new one need not be written into each test. */
export const MIGRATIONS: readonly { version: number; name: string }[] = (
  await loadMigrations()
).map(({ version, name }) => ({ version, name }));
export const LATEST: number = MIGRATIONS.length;
/** The versions from `first` to the latest. */
export const versionsFrom = (first: number): number[] =>
  MIGRATIONS.map(({ version }) => version).slice(first - 1);

export interface Fixture {
  readonly db: Database;
  readonly pool: DbPool;
  readonly names: TableNames;
  readonly connString: string | undefined;
  /** Runs one statement and returns its rows as objects of text. */
  sql(text: string): Promise<Record<string, string | null>[]>;
  /** A connection of its own, closed when the test ends: what it has left open ends with it. */
  connect(): Promise<{ sql(text: string): Promise<unknown>; client: DbClient }>;
}

/**
 * One database for the tests of a `describe`, and for each test a schema that does not exist yet.
 * `alone`: no other test has transactions in the database; CREATE INDEX CONCURRENTLY waits for all.
 */
export function useDatabase(backend: Backend, alone = false): { readonly current: Fixture } {
  let opened: OpenBackend;
  let current: Fixture | undefined;
  let held: DbClient[] = [];
  beforeAll(async () => {
    opened = alone ? await openAlone(backend) : await backend.open();
  });
  beforeEach(() => {
    const { pool, connString } = opened;
    current = {
      pool,
      connString,
      db: createDatabase({ pool }),
      names: tableNames(`test_${randomUUID().slice(0, 13)}`, "checkpoints"),
      sql: (text) => asText(pool, text),
      async connect() {
        const client = await pool.connect();
        held.push(client);
        client.on?.("error", () => {});
        return { client, sql: (text) => client.query({ text }) };
      },
    };
  });
  afterEach(async () => {
    for (const client of held) client.release(true);
    held = [];
    if (current) await current.sql(`DROP SCHEMA IF EXISTS ${current.names.schema} CASCADE`);
  });
  afterAll(() => opened?.close());
  return {
    get current() {
      if (!current) throw new Error("There is a database only while a test runs.");
      return current;
    },
  };
}

async function openAlone(backend: Backend): Promise<OpenBackend> {
  const server = await backend.open();
  const database = `alone_${randomUUID().slice(0, 13)}`;
  await asText(server.pool, `CREATE DATABASE "${database}"`);
  const url = new URL(server.connString ?? "");
  url.pathname = `/${database}`;
  const pool = createPool({ connString: url.href });
  return {
    ...server,
    pool,
    connString: url.href,
    async close() {
      await pool.end();
      await asText(server.pool, `DROP DATABASE "${database}" WITH (FORCE)`);
      await server.close();
    },
  };
}

async function asText(pool: DbPool, text: string): Promise<Record<string, string | null>[]> {
  const client = await pool.connect();
  try {
    const types = { getTypeParser: () => (value: string) => value };
    return (await client.query({ text, types })).rows as Record<string, string | null>[];
  } finally {
    client.release();
  }
}

/** A row in the table of checkpoints, so that it is not empty. */
export function insertCheckpoint(names: TableNames, id = "1"): string {
  return `INSERT INTO ${names.checkpoints}
    (thread_id, checkpoint_id, seq, channel_versions, checkpoint_data, metadata)
    VALUES ('a thread', '${id}', 1, '{}', '', '{"source": "loop"}')`;
}

/** Waits until `probe` answers with true; the test's timeout ends the wait. */
export async function until(probe: () => Promise<boolean>): Promise<void> {
  while (!(await probe())) await new Promise((resolve) => setTimeout(resolve, 10));
}
