/** Writes whose chunks go ahead in slices: one transaction, whole or not there at all, in whatever company. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prune } from "../../src/retention/prune.ts";
import { RECORDS } from "../../src/storage/names.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { backends, servers } from "../support/backends.ts";
import { eventually } from "../support/wait.ts";
import { checkpoint, type Engine, openEngine } from "./engine.ts";

/** 1.3 megabytes in a hundred leaves: two slices. */
function large(seed: string = randomUUID()): string[] {
  return Array.from({ length: 100 }, (_, i) => `${seed} ${i} ${"x".repeat(13_000)}`);
}

const write = (threadId: string, value: unknown) => ({
  threadId,
  namespace: "",
  checkpointId: "c",
  taskId: "task",
  taskPath: "",
  writes: [{ idx: 0, channel: "x", value }],
});

async function rowsOf(engine: Engine, thread: string): Promise<unknown> {
  const tables = ["T_threads", "T", "T_values", "T_chunks", "T_writes"];
  const counts = tables.map(
    (table) =>
      `(SELECT count(*) FROM ${table} WHERE thread_id = $1)::int AS ${table.slice(2) || "checkpoints"}`,
  );
  return (await engine.sql(`SELECT ${counts.join(", ")}`, [thread]))[0];
}

const NONE = { threads: 0, checkpoints: 0, values: 0, chunks: 0, writes: 0 };

const [server] = servers as [(typeof servers)[number]];
const some = backends.filter((one) => one === server || one.connections === "one");

describe.each(some)("slices on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  /** Statements that `work` needs, and transactions. */
  async function counted(storage: Storage, work: () => Promise<unknown>) {
    const { statements, transactions } = storage.database.counters;
    await work();
    const after = storage.database.counters;
    return [after.statements - statements, after.transactions - transactions];
  }

  test("a large put is two slices and itself, in one transaction, and small ones are as ever", async () => {
    const thread = randomUUID();
    const storage = engine.another();
    const list = large();
    const first = checkpoint(thread, { list });
    expect(await counted(storage, () => storage.put(first))).toEqual([5, 1]);
    // The thread is known by now, and most of its chunks.
    const more = [...list, ...large()];
    const second = checkpoint(thread, { more }, { parentId: first.checkpointId });
    expect(await counted(storage, () => storage.put(second))).toEqual([5, 1]);
    const third = checkpoint(thread, { more }, { parentId: second.checkpointId });
    expect(await counted(storage, () => storage.put(third))).toEqual([1, 0]);
    const read = engine.another();
    expect((await read.read(thread, "", first.checkpointId))?.values.get("list")).toEqual(list);
    expect((await read.read(thread, ""))?.values.get("more")).toEqual(more);
    const seqs = await engine.sql("SELECT seq::int FROM T WHERE thread_id = $1 ORDER BY 1", [
      thread,
    ]);
    expect(seqs).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    // Another process, which knows nothing of the thread, repeats it.
    const before = await rowsOf(engine, thread);
    await engine.another().put(first);
    expect(await rowsOf(engine, thread)).toEqual(before);
  });

  test("values that are large together, each in one piece, go ahead as well", async () => {
    const thread = randomUUID();
    const storage = engine.another();
    const channels = Object.fromEntries(large().map((text, i) => [`channel ${i}`, text]));
    const first = checkpoint(thread, { ...channels, list: large() });
    // Two slices of values and two of chunks.
    expect(await counted(storage, () => storage.put(first))).toEqual([7, 1]);
    const read = await engine.another().read(thread, "");
    expect(Object.fromEntries(read?.values ?? [])).toEqual(
      Object.fromEntries(first.values.map(({ channel, value }) => [channel, value])),
    );
    const bad = checkpoint(thread, channels, {
      parentId: first.checkpointId,
      metadata: "not JSON",
    });
    await expect(storage.put(bad)).rejects.toMatchObject({ sqlState: "22P02" });
    expect(await rowsOf(engine, thread)).toMatchObject({ checkpoints: 1, values: 101 });
  });

  test("large pending writes and records too, alone or in the caller's transaction", async () => {
    const [thread, other] = [randomUUID(), randomUUID()];
    const storage = engine.another();
    const [one, two, three] = [large(), large(), large()];
    const begun = await counted(storage, () => storage.putWrites(write(thread, one)));
    expect(begun).toEqual([5, 1]);
    const known = { ...write(thread, two), taskId: "second" };
    expect(await counted(storage, () => storage.putWrites(known))).toEqual([5, 1]);
    const record = {
      ...checkpoint(other),
      namespace: RECORDS,
      createdAt: null,
      expiresAt: undefined,
      values: [{ channel: "three", value: three }],
      ifExists: "error",
    } as const;
    expect((await storage.putRecord(record)).version).toBe(1);
    await storage.database.transaction((executor) =>
      storage.put(checkpoint(thread, { three }, { checkpointId: "c" }), { executor }),
    );
    const read = await engine.another().read(thread, "", "c");
    expect(read?.values.get("three")).toEqual(three);
    expect(read?.writes.map(({ value }) => value)).toEqual(expect.arrayContaining([one, two]));
    const back = await engine.another().read(other, record.namespace);
    expect(back?.values.get("three")).toEqual(three);
  });

  test("what fails after its slices leaves nothing behind, and the next one works", async () => {
    const thread = randomUUID();
    const bad = checkpoint(thread, { list: large() }, { metadata: "not JSON" });
    await expect(engine.storage.put(bad)).rejects.toMatchObject({ sqlState: "22P02" });
    expect(await rowsOf(engine, thread)).toEqual(NONE);
    const good = { ...bad, metadata: "{}" };
    await engine.storage.put(good);
    expect((await engine.another().read(thread, ""))?.values.get("list")).toEqual(
      good.values[0]?.value,
    );
  });

  test("slices of a writer whose chunks were collected meanwhile are refused, and all is sent", async () => {
    const thread = randomUUID();
    const list = large();
    const storage = engine.another();
    const first = checkpoint(thread, { list });
    await storage.put(first);
    const small = checkpoint(thread, {}, { parentId: first.checkpointId });
    await storage.put(small);
    const elsewhere = engine.another();
    await prune(elsewhere, { threads: [thread], keepLast: 1 });
    expect(await rowsOf(engine, thread)).toMatchObject({ chunks: 0 });
    const more = [...list, ...large()];
    await storage.put(checkpoint(thread, { more }, { parentId: small.checkpointId }));
    expect((await engine.another().read(thread, ""))?.values.get("more")).toEqual(more);
    await elsewhere.remove(thread);
    const late = checkpoint(thread, { list: large() }, { parentId: small.checkpointId });
    await expect(storage.put(late)).rejects.toMatchObject({ code: "THREAD_CONFLICT" });
    expect(await rowsOf(engine, thread)).toEqual(NONE);
  });
});

describe("with others between slices", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(server);
  });
  afterAll(() => engine.close());

  /**
   * Lets `put` go as far as its last slice, where somebody else is about to store the same chunk; nothing of it is to be
   * seen by then. Then begins `meanwhile`, which has to wait, and lets both go on.
   */
  async function between(
    thread: string,
    list: string[],
    put: () => Promise<void>,
    meanwhile: () => Promise<unknown>,
  ): Promise<unknown> {
    // Ids depend on the content alone, and slices go in their order.
    const twin = randomUUID();
    await engine.storage.put(checkpoint(twin, { list }));
    const [last] = await engine.sql(
      "SELECT max(chunk_id::text)::uuid AS id FROM T_chunks WHERE thread_id = $1",
      [twin],
    );
    const waiting = (count: number) => async () => {
      const [row] = await engine.sql(
        `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE cardinality(pg_blocking_pids(pid)) > 0 AND query LIKE '%' || $1 || '%'`,
        [engine.backend.schema],
      );
      return row?.n === count;
    };
    const blocker = await engine.backend.pool.connect();
    try {
      await blocker.query({ text: "BEGIN" });
      await blocker.query({
        text: `INSERT INTO "${engine.backend.schema}".checkpoints_chunks (thread_id, chunk_id, payload) VALUES ($1, $2, '')`,
        values: [thread, last?.id],
      });
      const before = await rowsOf(engine, thread);
      const putting = put();
      await eventually("the last slice waits", waiting(1));
      expect(await rowsOf(engine, thread)).toEqual(before);
      const other = meanwhile();
      await eventually("what came between waits too", waiting(2));
      await blocker.query({ text: "ROLLBACK" });
      await putting;
      return await other;
    } finally {
      blocker.release();
    }
  }

  test("a deletion waits for the whole put, and then removes all of it", async () => {
    const thread = randomUUID();
    const storage = engine.another();
    const first = checkpoint(thread, { a: 1 });
    await storage.put(first);
    const list = large();
    const second = checkpoint(thread, { list }, { parentId: first.checkpointId });
    const removed = await between(
      thread,
      list,
      () => storage.put(second),
      () => engine.another().remove(thread),
    );
    expect(removed).toBe(true);
    expect(await rowsOf(engine, thread)).toEqual(NONE);
  });

  test("a prune that comes between keeps the chunks that the put counts on", async () => {
    const thread = randomUUID();
    const storage = engine.another();
    const list = large();
    const old = large();
    // What only the first checkpoint refers to is what the prune is about to collect.
    const first = checkpoint(thread, { old });
    await storage.put(first);
    const second = checkpoint(thread, {}, { parentId: first.checkpointId });
    await storage.put(second);
    const both = checkpoint(thread, { old, list }, { parentId: second.checkpointId });
    await between(
      thread,
      list,
      () => storage.put(both),
      () => prune(engine.another(), { threads: [thread], keepLast: 1 }),
    );
    const read = await engine.another().read(thread, "");
    expect(Object.fromEntries(read?.values ?? [])).toEqual({ old, list });
  });

  test("two that send the same chunks in another order do not deadlock", async () => {
    const deadlocks = async () => {
      const [row] = await engine.sql(
        "SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()",
      );
      return row?.n;
    };
    const before = await deadlocks();
    const [a, b] = [engine.another(), engine.another()];
    for (let round = 0; round < 3; round += 1) {
      const thread = randomUUID();
      await a.put(checkpoint(thread, { a: 1 }));
      await b.read(thread, "");
      const list = large();
      // Pending writes share the thread's lock, so both are at it at once.
      await Promise.all([
        a.putWrites(write(thread, list)),
        b.putWrites({ ...write(thread, list.toReversed()), taskId: "other" }),
      ]);
    }
    expect(a.database.counters.retries + b.database.counters.retries).toBe(0);
    expect(await deadlocks()).toBe(before);
  });
});
