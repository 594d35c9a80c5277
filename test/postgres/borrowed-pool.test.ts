import pg from "pg";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDatabase, statement } from "../../src/postgres/index.ts";
import { eventually } from "../support/wait.ts";

const ONE = statement("one", "SELECT '1'");

let pool: pg.Pool;
beforeEach(() => {
  pool = new pg.Pool({ connectionString: inject("postgres")["18"], max: 2 });
});
afterEach(() => pool.end());

const listeners = (emitter: NodeJS.EventEmitter): Record<string, number> =>
  Object.fromEntries(
    emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]),
  );

test("case 42: a borrowed pool is open and as it was after close()", async () => {
  const options = { ...pool.options };
  const shape = Object.getOwnPropertyNames(pool);
  const prototype = Object.getPrototypeOf(pool);
  const before = listeners(pool);
  const client = await pool.connect();
  client.release();
  const clientBefore = listeners(client);

  const a = createDatabase({ pool });
  const b = createDatabase({ pool });
  await a.execute(ONE, []);
  await b.transaction((tx) => tx.execute(ONE, []));
  await expect(a.execute(statement("bad", "SELECT 1/0"), [])).rejects.toThrow();
  await a.close();
  // The pool's other database goes on.
  expect(await b.execute(ONE, [])).toEqual([["1"]]);
  await b.close();
  await b.close();

  expect(pool.ended).toBe(false);
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  expect({ ...pool.options }).toEqual(options);
  expect(Object.getOwnPropertyNames(pool)).toEqual(shape);
  expect(Object.getPrototypeOf(pool)).toBe(prototype);
  expect(listeners(pool)).toEqual(before);
  expect(listeners(client)).toEqual(clientBefore);
});

test("case 42: many operations leave no listeners behind while they run", async () => {
  const db = createDatabase({ pool });
  await Promise.all(Array.from({ length: 200 }, () => db.execute(ONE, [])));
  const client = await pool.connect();
  // Nothing but what the pool itself puts on a connection.
  expect(client.listenerCount("error")).toBe(0);
  client.release();
  await db.close();
});

test("case 39: the process survives a dead idle connection of a pool that nobody listens to", async () => {
  const db = createDatabase({ pool });
  const [[pid] = []] = await db.execute(statement("pid", "SELECT pg_backend_pid()::text"), []);
  const admin = new pg.Client(inject("postgres")["18"]);
  await admin.connect();
  await admin.query("SELECT pg_terminate_backend($1)", [pid]);
  await admin.end();
  await eventually("the pool has noticed", () => pool.totalCount === 0);
  expect(await db.execute(ONE, [])).toEqual([["1"]]);
  await db.close();
});

test("close() waits for what is in flight, refuses what is new, and ends an owned pool", async () => {
  const owned = new pg.Pool({ connectionString: inject("postgres")["18"] });
  const db = createDatabase({ pool: owned, owned: true });
  let done = false;
  const slow = db.execute(statement("slow", "SELECT pg_sleep(0.2)::text"), []).then(() => {
    done = true;
  });
  const closing = db.close();
  await expect(db.execute(ONE, [])).rejects.toMatchObject({ code: "CLOSED" });
  await expect(db.transaction(async () => 1)).rejects.toMatchObject({ code: "CLOSED" });
  await closing;
  expect(done).toBe(true);
  expect(owned.ended).toBe(true);
  await slow;
});
