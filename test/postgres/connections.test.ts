import { setImmediate as nextTurn } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDatabase, type Database, statement } from "../../src/postgres/index.ts";

const PID = statement("pid", "SELECT pg_backend_pid()::text");

let pool: pg.Pool;
let db: Database;
let taken = 0;

beforeEach(() => {
  pool = new pg.Pool({ connectionString: inject("postgres")["18"], max: 1 });
  taken = 0;
  pool.on("acquire", () => {
    taken += 1;
  });
  db = createDatabase({ pool });
});
afterEach(async () => {
  await db.close();
  await pool.end();
});

test("a statement leaves before its caller's microtasks have ended, on the connection of the last one", async () => {
  await db.execute(PID, []);
  const before = { taken, statements: db.counters.statements };
  const next = db.execute(PID, []);
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
  expect({ taken, statements: db.counters.statements }).toEqual({
    taken: before.taken,
    statements: before.statements + 1,
  });
  await next;
});

test("when the event loop has turned, the connection is back in its pool", async () => {
  await db.execute(PID, []);
  await db.transaction((tx) => tx.execute(PID, []));
  await nextTurn();
  expect(pool.idleCount).toBe(1);
});

test("whoever else waits for the only connection gets it", async () => {
  const first = db.execute(PID, []);
  const waiting = pool.connect();
  await first;
  const client = await waiting;
  client.release();
});

test("a caller who comes while it is kept waits for no more than the turn", async () => {
  await db.execute(PID, []);
  const client = await pool.connect();
  const { rows } = await client.query<{ one: number }>("SELECT 1 AS one");
  client.release();
  expect(rows).toEqual([{ one: 1 }]);
});

test("a connection that ended while it was kept is not used again", async () => {
  const client = await new Promise<pg.PoolClient>((resolve) => {
    pool.once("connect", resolve);
    void db.execute(PID, []);
  });
  const [[pid] = []] = await db.execute(PID, []);
  client.emit("error", new Error("ended"));
  expect(await db.execute(PID, [])).not.toEqual([[pid]]);
  expect(pool.totalCount).toBe(1);
});
