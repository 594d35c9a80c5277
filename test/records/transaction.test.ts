/** Records and the caller's own rows in one transaction. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PostgresCheckpointStore, StoreTransaction } from "../../src/index.ts";
import { both, failure, fresh, newest, randomText, useStore } from "./open-store.ts";

describe.each(both)("transaction on $name", (backend) => {
  const fixture = useStore(backend);
  const orders = () => `"${fixture.current.backend.schema}"."my_orders"`;

  beforeAll(async () => {
    await fixture.current.sql(
      `CREATE TABLE ${orders()} (id text PRIMARY KEY, amount int CHECK (amount > 0), parent text REFERENCES ${orders()})`,
    );
  });

  const insert = (tx: StoreTransaction, id: string, amount: number, parent: string | null = null) =>
    tx.query(`INSERT INTO ${orders()} VALUES ($1, $2, $3)`, [id, amount, parent]);
  const hasOrder = async (id: string) =>
    (await fixture.current.sql(`SELECT 1 FROM ${orders()} WHERE id = $1`, [id])).length === 1;

  test("a checkpoint and the user's own rows, together", async () => {
    const { store, another } = fixture.current;
    const [threadId, order] = [fresh("thread"), fresh("order")];
    const result = await store.transaction(async (tx) => {
      const { id, version } = await tx.save({ id: fresh("cp"), threadId, state: { order } });
      await insert(tx, order, 5);
      const { rows, rowCount } = await tx.query<{ amount: number }>(
        `SELECT amount FROM ${orders()} WHERE id = $1`,
        [order],
      );
      return { id, version, rows, rowCount };
    });
    expect(result).toMatchObject({ version: 1, rows: [{ amount: 5 }], rowCount: 1 });
    expect((await another().load(result.id)).state).toEqual({ order });
    expect(await hasOrder(order)).toBe(true);
  });

  test("it sees what it wrote, and nobody else does before the end", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const list = Array.from({ length: 30 }, () => randomText(400));
    await store.save({ id: fresh("cp"), threadId, state: { list } });
    await store.transaction(async (tx) => {
      const a = await tx.save({ id: fresh("cp"), threadId, state: { list: [...list, "a"] } });
      expect((await tx.load(a.id)).state).toEqual({ list: [...list, "a"] });
      const [b, c] = await tx.saveBatch([
        { id: fresh("cp"), threadId, state: { list: [...list, "a", "b"] } },
        { id: fresh("cp"), threadId: `${threadId}/new`, state: { list } },
      ]);
      expect(await tx.getLatestByThread(threadId)).toEqual(b);
      expect(await tx.getLatestByThread(`${threadId}/new`)).toEqual(c);
      if (backend.connections === "many") {
        expect(await store.listByThread(threadId)).toHaveLength(1);
        expect(await store.getLatestByThread(`${threadId}/new`)).toBeUndefined();
      }
    });
    expect(await store.listByThread(threadId)).toHaveLength(3);
  });

  test("what the function throws rolls all back, and comes out as it is", async () => {
    const { store, another, sql } = fixture.current;
    const [threadId, order] = [fresh("thread"), fresh("order")];
    const list = Array.from({ length: 30 }, () => randomText(400));
    const mine = new RangeError("out of stock");
    const error = await failure(
      store.transaction(async (tx) => {
        await tx.save({ id: fresh("cp"), threadId, state: { list } });
        await insert(tx, order, 1);
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(await hasOrder(order)).toBe(false);
    expect(await sql("SELECT 1 FROM T_chunks WHERE thread_id = $1", [threadId])).toEqual([]);
    // Nothing of it is believed to be stored.
    const { id } = await store.save({ id: fresh("cp"), threadId, state: { list } });
    expect((await another().load(id)).state).toEqual({ list });
    expect((await store.load(id)).version).toBe(1);
  });

  const refusals: [string, string, (tx: StoreTransaction) => Promise<unknown>][] = [
    ["a foreign key", "23503", (tx) => insert(tx, fresh("order"), 1, "nobody")],
    ["a check", "23514", (tx) => insert(tx, fresh("order"), -1)],
    ["a table of the caller's that is missing", "42P01", (tx) => tx.query("SELECT * FROM nowhere")],
    ["nonsense", "42601", (tx) => tx.query("SELEKT 1")],
    [
      "a key of the caller's own",
      "23505",
      async (tx) => {
        await insert(tx, "twice", 1);
        await insert(tx, "twice", 2);
      },
    ],
  ];
  test.each(refusals)(
    "%s: sqlState %s, the driver's error as the cause",
    async (_, state, work) => {
      const { store } = fixture.current;
      const threadId = fresh("thread");
      const error = await failure(
        store.transaction(async (tx) => {
          await tx.save({ id: fresh("cp"), threadId, state: 1 });
          await work(tx);
        }),
      );
      expect(error).toMatchObject({ code: "DATABASE_ERROR", sqlState: state });
      expect(error.cause).toMatchObject({ code: state });
      expect(await store.listByThread(threadId)).toEqual([]);
    },
  );

  test("a duplicate of ours is told as such", async () => {
    const { store } = fixture.current;
    const [id, threadId, order] = [fresh("cp"), fresh("thread"), fresh("order")];
    await store.save({ id, threadId, version: 5, state: 1 });
    for (const save of [
      (tx: StoreTransaction) => tx.save({ id, threadId, state: 2 }, { ifExists: "error" }),
      (tx: StoreTransaction) => tx.save({ id: fresh("cp"), threadId, version: 5, state: 2 }),
    ]) {
      const error = await failure(
        store.transaction(async (tx) => {
          await insert(tx, order, 1);
          await save(tx);
        }),
      );
      expect(error).toMatchObject({ code: "DUPLICATE_CHECKPOINT", sqlState: "23505" });
      expect(error.cause).toMatchObject({ code: "23505" });
    }
    expect(await hasOrder(order)).toBe(false);
    expect((await store.load(id)).state).toBe(1);
  });

  test("an error that is caught inside does not commit the rest in silence", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const error = await failure(
      store.transaction(async (tx) => {
        await tx.save({ id: fresh("cp"), threadId, state: 1 });
        await tx.query("SELECT 1/0").catch(() => {});
        return "went on";
      }),
    );
    expect(error.code).toBe("DATABASE_ERROR");
    expect(await store.listByThread(threadId)).toEqual([]);
  });

  test("after its end it is of no use", async () => {
    const { store } = fixture.current;
    let kept: StoreTransaction | undefined;
    await store.transaction(async (tx) => {
      kept = tx;
    });
    for (const call of [
      () => kept?.save({ id: "x", threadId: "late", state: 1 }),
      () => kept?.load("x"),
      () => kept?.query("SELECT 1"),
    ]) {
      expect(await failure(Promise.resolve(call()))).toMatchObject({ code: "INVALID_CONFIG" });
    }
    expect(await store.getLatestByThread("late")).toBeUndefined();
  });

  test("a thread that expired or was pruned behind the store's back is no obstacle", async () => {
    const { store, another, sql } = fixture.current;
    const [expired, pruned] = [fresh("thread"), fresh("thread")];
    const list = Array.from({ length: 30 }, () => randomText(400));
    for (const threadId of [expired, pruned]) {
      await store.saveBatch([1, 2].map((n) => ({ id: fresh("cp"), threadId, state: { list, n } })));
    }
    await sql("UPDATE T_threads SET expires_at = now() - interval '1 s' WHERE thread_id = $1", [
      expired,
    ]);
    await another().save({ id: fresh("cp"), threadId: pruned, state: 0 });
    await another().prune({ threads: [pruned], keepLast: 1 });
    const ids = await store.transaction(async (tx) => [
      (await tx.save({ id: fresh("cp"), threadId: expired, state: { list } })).id,
      (await tx.save({ id: fresh("cp"), threadId: pruned, state: { list } })).id,
    ]);
    for (const id of ids) expect((await another().load(id)).state).toEqual({ list });
    expect(await store.listByThread(expired)).toHaveLength(1);
  });
});

describe("a transaction and its connection", () => {
  const fixture = useStore(newest);
  let store: PostgresCheckpointStore;
  beforeAll(() => {
    store = fixture.current.another();
  });
  afterAll(() => store.close());

  /** Ends the connection that the transaction uses. */
  const cut = async (tx: StoreTransaction) => {
    const { rows } = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await fixture.current.sql("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
  };

  test("a connection that ends in the middle is an error, and nothing is left", async () => {
    const threadId = fresh("thread");
    let runs = 0;
    const error = await failure(
      store.transaction(async (tx) => {
        runs += 1;
        await tx.save({ id: fresh("cp"), threadId, state: 1 });
        await cut(tx);
        await tx.query("SELECT 1");
      }),
    );
    expect(error).toMatchObject({ code: "CONNECTION_FAILED" });
    expect(runs).toBe(1);
    expect(await store.listByThread(threadId)).toEqual([]);
  });

  test("with retry, the whole function runs again", async () => {
    const threadId = fresh("thread");
    let runs = 0;
    await store.transaction(
      async (tx) => {
        runs += 1;
        await tx.save({ id: `${threadId}/1`, threadId, state: runs });
        if (runs === 1) await cut(tx);
        await tx.query("SELECT 1");
      },
      { retry: true },
    );
    expect(runs).toBe(2);
    expect(await store.listByThread(threadId)).toMatchObject([{ state: 2 }]);
  });

  test("a deadline ends a query that is not answered", async () => {
    const threadId = fresh("thread");
    const error = await failure(
      store.transaction(
        async (tx) => {
          await tx.save({ id: fresh("cp"), threadId, state: 1 });
          await tx.query("SELECT pg_sleep(20)");
        },
        { deadline: 400 },
      ),
    );
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await store.listByThread(threadId)).toEqual([]);
    expect(store.poolStats().acquired).toBe(0);
  });
});
