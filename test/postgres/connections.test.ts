import { setImmediate as nextTurn } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { createDatabase, createPool, type Database, statement } from "../../src/postgres/index.ts";

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
  if (!pool.ended) await pool.end();
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

describe("a caller that works on without a pause", () => {
  let goesOn = true;
  const workOn = async (): Promise<void> => {
    goesOn = true;
    while (goesOn) await db.execute(PID, []);
  };

  test("leaves the only connection to whoever else waits for it", async () => {
    const working = workOn();
    const client = await pool.connect();
    // It would be hundreds until it goes back because of its age.
    expect(db.counters.statements).toBeLessThan(5);
    goesOn = false;
    client.release();
    await working;
  });

  test("meets the end of its pool", async () => {
    const failed = expect(workOn()).rejects.toThrow(/end/);
    await db.execute(PID, []);
    const { statements } = db.counters;
    await pool.end();
    await failed;
    expect(db.counters.statements).toBeLessThan(statements + 5);
  });

  test("lets the pool replace a connection that is too old", async () => {
    const short = new pg.Pool({ ...pool.options, max: 1, maxLifetimeSeconds: 1 });
    const other = createDatabase({ pool: short });
    const pids = new Set<string | null | undefined>();
    while (pids.size < 2) pids.add((await other.execute(PID, []))[0]?.[0]);
    await other.close();
    await short.end();
  });
});

test("a caller who comes while it is kept waits for no more than the turn", async () => {
  await db.execute(PID, []);
  const client = await pool.connect();
  const { rows } = await client.query<{ one: number }>("SELECT 1 AS one");
  client.release();
  expect(rows).toEqual([{ one: 1 }]);
});

test("beforeAcquire is asked each time", async () => {
  let asked = 0;
  const screened = createPool({
    connString: inject("postgres")["18"],
    maxConns: 1,
    beforeAcquire: () => {
      asked += 1;
      return true;
    },
  });
  const other = createDatabase({ pool: screened });
  for (let n = 0; n < 5; n += 1) await other.execute(PID, []);
  expect(asked).toBe(5);
  await other.close();
  await screened.end();
});

test("a transaction's function that gives its connection back is told", async () => {
  const twice = db.transaction(async (tx) => {
    await tx.execute(PID, []);
    tx.client.release();
  });
  await expect(twice).rejects.toThrow(/already been released/);
  expect(await db.execute(PID, [])).toHaveLength(1);
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
