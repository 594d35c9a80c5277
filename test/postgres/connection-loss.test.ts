/** Connections that die: cases 39 and 40, and what the pool and the process are like afterwards. */
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { createDatabase, createPool, type Database, statement } from "../../src/postgres/index.ts";
import { eventually } from "../support/wait.ts";

const PID = statement("pid", "SELECT pg_backend_pid()::text");
const COUNT = statement("count", "SELECT count(*)::text FROM connection_loss");
const INSERT = statement(
  "insert",
  "INSERT INTO connection_loss SELECT $1::int FROM pg_sleep($2::float) ON CONFLICT DO NOTHING",
);

describe.each(["18", "14"] as const)("on PostgreSQL %s", (version) => {
  let admin: pg.Pool;
  let pool: pg.Pool;
  let db: Database;
  beforeAll(async () => {
    admin = createPool({ connString: inject("postgres")[version] });
    await admin.query("CREATE TABLE connection_loss (i int PRIMARY KEY)");
  });
  afterAll(async () => {
    await admin.query("DROP TABLE connection_loss");
    await admin.end();
  });
  beforeEach(async () => {
    await admin.query("TRUNCATE connection_loss");
    pool = createPool({
      connString: inject("postgres")[version],
      applicationName: "victim",
      maxConns: 4,
    });
    db = createDatabase({ pool, owned: true });
  });
  afterEach(() => db.close());

  const terminateAll = (state: "active" | "idle" | "any"): Promise<pg.QueryResult> =>
    admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'victim' AND ($1 = 'any' OR state = $1)`,
      [state],
    );
  const countActive = async (): Promise<number> => {
    const { rows } = await admin.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'PgSleep'",
    );
    return rows[0].n;
  };

  test("case 39: idle connections are terminated; the next operation finds a new one", async () => {
    await Promise.all(Array.from({ length: 4 }, () => db.execute(INSERT, [1, 0.05])));
    expect(pool.totalCount).toBeGreaterThan(1);
    await terminateAll("idle");
    expect(await db.execute(COUNT, [])).toEqual([["1"]]);
    await eventually("the dead have left the pool", () => pool.totalCount === 1);
  });

  test("case 39: busy connections are terminated; the operations succeed by retry", async () => {
    const work = [1, 2, 3, 4].map((i) => db.execute(INSERT, [i, 0.4]));
    await eventually("all four run", async () => (await countActive()) === 4);
    await terminateAll("active");
    await Promise.all(work);
    expect(await db.execute(COUNT, [])).toEqual([["4"]]);
    expect(db.counters.retries).toBeGreaterThanOrEqual(4);
    expect(db.counters.errors).toBe(0);
    expect(pool.waitingCount).toBe(0);
  });

  test("case 39: a busy transaction is terminated; all of it is repeated", async () => {
    let runs = 0;
    const work = db.transaction(async (tx) => {
      runs += 1;
      await tx.execute(INSERT, [10 + runs, 0]);
      await tx.execute(INSERT, [1, runs === 1 ? 30 : 0]);
      return "done";
    });
    await eventually("it sleeps", async () => (await countActive()) === 1);
    await terminateAll("active");
    expect(await work).toBe("done");
    expect(runs).toBe(2);
    // The first run's rows are gone with its connection.
    const { rows } = await admin.query("SELECT i FROM connection_loss ORDER BY i");
    expect(rows).toEqual([{ i: 1 }, { i: 12 }]);
  });

  test("case 39: a storm of terminations loses no operation", async () => {
    const storm = (async () => {
      for (let i = 0; i < 20; i += 1) {
        await terminateAll("any");
        // How often connections die, not a wait for anything: they would die faster than they open.
        await sleep(10);
      }
    })();
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 4 === 0
          ? db.transaction((tx) => tx.execute(INSERT, [i, 0.02]))
          : db.execute(INSERT, [i, 0.02]),
      ),
    );
    await storm;
    expect(db.counters.retries).toBeGreaterThan(0);
    expect(await db.execute(COUNT, [])).toEqual([["40"]]);
    await eventually("the pool is at rest", () => pool.totalCount === pool.idleCount);
    expect(pool.waitingCount).toBe(0);
  });

  test("without retry an operation runs once, and the process lives", async () => {
    let runs = 0;
    const work = db.transaction(
      async (tx) => {
        runs += 1;
        await tx.execute(INSERT, [1, 30]);
      },
      { retry: false },
    );
    const failed = expect(work).rejects.toMatchObject({
      code: "CONNECTION_FAILED",
      sqlState: "57P01",
    });
    await eventually("it sleeps", async () => (await countActive()) === 1);
    await terminateAll("active");
    await failed;
    expect(runs).toBe(1);
  });

  test("case 40: a failing ROLLBACK does not hide the first error, and the connection leaves the pool", async () => {
    let pid = "";
    const first = new Error("the first error");
    await expect(
      db.transaction(async (tx) => {
        pid = (await tx.execute(PID, []))[0]?.[0] ?? "";
        const client = tx.client as unknown as pg.PoolClient;
        const ended = new Promise((resolve) => client.once("end", resolve));
        await admin.query("SELECT pg_terminate_backend($1)", [pid]);
        await ended;
        throw first;
      }),
    ).rejects.toBe(first);
    expect(pool.totalCount).toBe(0);
    expect(await db.execute(PID, [])).not.toEqual([[pid]]);
  });

  test("case 40: so it is where ROLLBACK itself meets the dead connection", async () => {
    const first = new Error("the first error");
    await expect(
      db.transaction(async (tx) => {
        const [[pid] = []] = await tx.execute(PID, []);
        await admin.query("SELECT pg_terminate_backend($1)", [pid]);
        // No look at the socket in between: that the connection is dead shows at ROLLBACK.
        const until = performance.now() + 50;
        while (performance.now() < until);
        throw first;
      }),
    ).rejects.toBe(first);
    await eventually("it has left the pool", () => pool.totalCount === 0);
  });

  test("an error of a statement leaves the connection in the pool, rolled back", async () => {
    const [[pid] = []] = await db.execute(PID, []);
    await expect(
      db.transaction(async (tx) => {
        await tx.execute(INSERT, [1, 0]);
        await tx.execute(statement("bad", "SELECT 1/0"), []);
      }),
    ).rejects.toMatchObject({ sqlState: "22012" });
    expect(await db.execute(PID, [])).toEqual([[pid]]);
    expect(await db.execute(COUNT, [])).toEqual([["0"]]);
  });

  test("a swallowed error is not reported as a commit", async () => {
    await expect(
      db.transaction(async (tx) => {
        await tx.execute(INSERT, [1, 0]);
        await tx.execute(statement("bad", "SELECT 1/0"), []).catch(() => {});
        return "as if nothing had happened";
      }),
    ).rejects.toMatchObject({
      code: "DATABASE_ERROR",
      sqlState: "25P02",
      cause: { code: "22012" },
    });
    expect(await db.execute(COUNT, [])).toEqual([["0"]]);
  });

  test("statements of a transaction run in order, and none after its end", async () => {
    let late: Promise<unknown> | undefined;
    let tx1: { execute: Database["execute"] } | undefined;
    await expect(
      db.transaction(async (tx) => {
        tx1 = tx;
        const all = [1, 2, 3].map((i) => tx.execute(INSERT, [i, 0.01]));
        late = Promise.allSettled(all);
        await all[0];
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    await late;
    await expect(tx1?.execute(INSERT, [9, 0])).rejects.toThrow(/has ended/);
    expect(await db.execute(COUNT, [])).toEqual([["0"]]);
  });
});
