/**
 * Writers lock threads in one order, whatever the collation of the database: two processes whose
 * batches overlap wait for each other, and cannot deadlock.
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createPool } from "../../src/postgres/index.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { eventually } from "../support/wait.ts";
import { checkpoint } from "./engine.ts";

const SCHEMA = "locks";
const name = `sorted_as_people_do_${randomUUID().slice(0, 8)}`;
const url = Object.assign(new URL(inject("postgres")["18"]), { pathname: `/${name}` }).href;
let admin: pg.Client;
let pool: pg.Pool;
const storages: Storage[] = [];

/** One connection: what comes while it is in use leaves together. */
function open(): Storage {
  const own = createPool({ connString: url, maxConns: 1 });
  const storage = openStorage({ pool: own, owned: true, settings: { schema: SCHEMA } });
  storages.push(storage);
  return storage;
}

beforeAll(async () => {
  admin = new pg.Client({ connectionString: inject("postgres")["18"] });
  await admin.connect();
  await admin.query(
    `CREATE DATABASE ${name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'`,
  );
  pool = new pg.Pool({ connectionString: url, max: 3 });
  await open().setup();
});
afterAll(async () => {
  await Promise.all(storages.map((storage) => storage.close()));
  await pool.end();
  await admin.query(`DROP DATABASE ${name}`);
  await admin.end();
});

test("a batch locks its threads by code point, those it knows and those it does not", async () => {
  expect((await pool.query("SELECT 'a' < 'B' AS first")).rows).toEqual([{ first: true }]);
  await Promise.all(["a", "B"].map((thread) => storages[0]?.put(checkpoint(thread, { n: 0 }))));
  const storage = open();
  for (const kind of ["unknown", "known"]) {
    const holder = await pool.connect();
    try {
      await holder.query("BEGIN");
      await holder.query(lock("a", ""));
      const puts = ["busy", "a", "B"].map((thread) => storage.put(checkpoint(thread, { kind })));
      await eventually("the batch waits", async () => (await pool.query(WAITING)).rowCount === 1);
      // "a" is second: "B" is locked already.
      expect((await pool.query(lock("B", "SKIP LOCKED"))).rowCount, kind).toBe(0);
      await holder.query("ROLLBACK");
      await Promise.all(puts);
    } finally {
      holder.release();
    }
  }
});

const lock = (thread: string, or: string): string =>
  `SELECT FROM ${SCHEMA}.checkpoints_threads WHERE thread_id = '${thread}' FOR UPDATE ${or}`;

const WAITING = `SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;
