/**
 * Writers lock threads in one order, whatever the collation of the database, and each of them once: processes
 * whose batches overlap wait for each other, and cannot deadlock.
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

/**
 * Someone shares the row of `old` when a third changes it, so that its old version stays shared. The next in line
 * then holds the lock on that version while it waits for whoever has the new one: who has it must not go back to
 * the old one, which its snapshot still shows it.
 */
test("two batches that wait for the same change of a thread do not deadlock", async () => {
  const threads = ["old", "other"];
  await Promise.all(threads.map((thread) => storages[0]?.put(checkpoint(thread, { n: 0 }))));
  const writers = [open(), open()];
  const [sharing, changing] = [await pool.connect(), await pool.connect()];
  try {
    await sharing.query("BEGIN");
    await sharing.query(`SELECT FROM ${THREADS} WHERE thread_id = 'old' FOR KEY SHARE`);
    await changing.query("BEGIN");
    await changing.query(`UPDATE ${THREADS} SET updated_at = now() WHERE thread_id = 'old'`);
    const puts: Promise<unknown>[] = [];
    for (const [waiting, storage] of writers.entries()) {
      for (const thread of threads) await storage.read(thread, "");
      puts.push(
        ...["busy", ...threads].map((thread) => storage.put(checkpoint(thread, { waiting }))),
      );
      await eventually(
        "one more waits",
        async () => (await pool.query(WAITING)).rowCount === waiting + 1,
      );
    }
    await changing.query("COMMIT");
    await Promise.all(puts);
  } finally {
    await sharing.query("ROLLBACK");
    sharing.release();
    changing.release();
  }
  expect(writers.map((storage) => storage.database.counters.retries)).toEqual([0, 0]);
});

const THREADS = `${SCHEMA}.checkpoints_threads`;

const lock = (thread: string, or: string): string =>
  `SELECT FROM ${THREADS} WHERE thread_id = '${thread}' FOR UPDATE ${or}`;

const WAITING = `SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;
