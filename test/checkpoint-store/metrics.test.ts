/** Metrics: counts, errors, latencies, and the hook; nothing in them that is anybody's data. */
import { describe, expect, test } from "vitest";
import { type OperationEvent, PostgresCheckpointStore } from "../../src/index.ts";
import { createHistogram } from "../../src/metrics/histogram.ts";
import { both, failure, fresh, newest, useStore } from "../records/open-store.ts";

describe("the histogram", () => {
  test("quantiles are right to 3 %, from a microsecond to an hour", () => {
    const seed = [0.001, 0.0037, 0.02, 0.5, 1, 3.3, 17, 250, 4000, 90_000, 3_600_000];
    for (const value of seed) {
      const histogram = createHistogram();
      histogram.record(value);
      for (const quantile of Object.values(histogram.quantiles())) {
        expect(Math.abs(quantile - value) / value).toBeLessThan(0.033);
      }
    }
  });

  test("of many values, those in their places", () => {
    const histogram = createHistogram();
    expect(histogram.quantiles()).toEqual({ p50: 0, p95: 0, p99: 0 });
    const values = Array.from({ length: 10_000 }, (_, i) => Math.exp((i / 10_000) * 12) / 100);
    for (const value of values.toSorted(() => 0)) histogram.record(value);
    const { p50, p95, p99 } = histogram.quantiles();
    for (const [found, place] of [
      [p50, 5000],
      [p95, 9500],
      [p99, 9900],
    ] as const) {
      const wanted = values[place - 1] ?? 0;
      expect(Math.abs(found - wanted) / wanted).toBeLessThan(0.04);
    }
    expect(histogram.count).toBe(10_000);
  });

  test("what is out of range ends in the outermost bucket", () => {
    const histogram = createHistogram();
    for (const value of [0, 1e-9, Number.MIN_VALUE]) histogram.record(value);
    expect(histogram.quantiles().p99).toBeLessThan(0.002);
    for (let i = 0; i < 100; i += 1) histogram.record(1e12);
    expect(histogram.quantiles().p50).toBeGreaterThan(3_600_000);
  });
});

describe.each(both)("getMetrics on $name", (backend) => {
  const fixture = useStore(backend);

  test("counts what was called, and what failed", async () => {
    const events: OperationEvent[] = [];
    const store = fixture.current.another({ onOperation: (event) => events.push(event) });
    const threadId = fresh("thread");
    const { id } = await store.save({ id: fresh("cp"), threadId, state: 1 });
    await store.load(id, { threadId });
    await store.load(id, { threadId });
    await failure(store.load("nobody's"));
    await failure(store.save({ id: "", threadId, state: 1 }));
    await store.listByThread(threadId);
    await store.checkpointer.getTuple({ configurable: { thread_id: threadId } });
    for await (const _ of store.checkpointer.list({ configurable: { thread_id: threadId } })) break;
    const { operations, hookErrors, statements, retries, pool } = store.getMetrics();
    const counts = Object.fromEntries(
      Object.entries(operations).map(([name, { count, errors }]) => [name, [count, errors]]),
    );
    expect(counts).toEqual({
      save: [2, 1],
      load: [3, 1],
      listByThread: [1, 0],
      getTuple: [1, 0],
      listTuples: [1, 0],
    });
    for (const { p50, p95, p99 } of Object.values(operations)) {
      expect(p50).toBeGreaterThan(0);
      expect(p95).toBeGreaterThanOrEqual(p50);
      expect(p99).toBeGreaterThanOrEqual(p95);
    }
    expect({ hookErrors, retries }).toEqual({ hookErrors: 0, retries: 0 });
    expect(statements).toBeGreaterThanOrEqual(6);
    expect(pool).toEqual(store.poolStats());
    expect(pool.total).toBeGreaterThan(0);
    expect(pool).toMatchObject({ acquired: 0, waiting: 0 });

    expect(events.map(({ operation, errorCode }) => [operation, errorCode])).toEqual([
      ["save", undefined],
      ["load", undefined],
      ["load", undefined],
      ["load", "CHECKPOINT_NOT_FOUND"],
      ["save", "INVALID_CONFIG"],
      ["listByThread", undefined],
      ["getTuple", undefined],
      ["listTuples", undefined],
    ]);
    expect(events[0]).toEqual({
      operation: "save",
      threadId,
      durationMs: expect.any(Number),
      errorCode: undefined,
    });
  });

  test("a hook that throws harms nothing and is counted", async () => {
    const store = fixture.current.another({
      onOperation: () => {
        throw new Error("the hook's own");
      },
    });
    const { id } = await store.save({ id: fresh("cp"), threadId: fresh("thread"), state: 1 });
    expect((await store.load(id)).state).toBe(1);
    expect(store.getMetrics().hookErrors).toBe(2);
  });

  test("every operation of the store is counted under its name", async () => {
    const store = fixture.current.another();
    const threadId = fresh("thread");
    const record = { id: fresh("cp"), threadId, executionId: fresh("run"), state: 1 };
    await store.saveBatch([record]);
    await store.transaction((tx) => tx.load(record.id));
    await store.getLatestByThread(threadId);
    await store.listWithOptions();
    await store.list(record.executionId);
    await store.delete(record.id);
    await store.clear(record.executionId);
    await store.prune({ threads: [threadId], keepLast: 1 });
    await store.cleanupExpired();
    await store.copyThread(threadId, fresh("thread"));
    await store.getThread(threadId);
    await store.listThreads();
    await store.deleteThread(threadId);
    await store.deleteForRuns([record.executionId]);
    await store.stats();
    await store.getSchemaVersion();
    await store.migrateSchema();
    await (await store.acquireThread(threadId)).release();
    expect(Object.keys(store.getMetrics().operations).sort()).toEqual(
      [
        "saveBatch",
        "transaction",
        "getLatestByThread",
        "listWithOptions",
        "list",
        "delete",
        "clear",
        "prune",
        "cleanupExpired",
        "copyThread",
        "getThread",
        "listThreads",
        "deleteThreads",
        "deleteForRuns",
        "stats",
        "getSchemaVersion",
        "migrateSchema",
        "acquireThread",
      ].sort(),
    );
  });
});

describe("metrics under load", () => {
  const fixture = useStore(newest);

  test("memory is bounded: ten thousand operations are as many numbers as ten", async () => {
    const store = PostgresCheckpointStore.fromPool({
      connect: () => Promise.reject(Object.assign(new Error("gone"), { code: "EACCES" })),
    });
    const sizeAfter = async (count: number) => {
      for (let i = 0; i < count; i += 1) await failure(store.load(`${i}`));
      return JSON.stringify(store.getMetrics()).length;
    };
    const few = await sizeAfter(10);
    expect(await sizeAfter(2000)).toBeLessThan(few + 50);
    expect(store.getMetrics().operations.load).toMatchObject({ count: 2010, errors: 2010 });
    await store.close();
  });

  test("the pool's numbers while it is used up", async () => {
    const { backend } = fixture.current;
    const store = await PostgresCheckpointStore.connect({
      connString: backend.connString ?? "",
      schema: backend.schema,
      pool: { maxConns: 2 },
    });
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let inside = 0;
    const transactions = Array.from({ length: 2 }, () =>
      store.transaction(async () => {
        inside += 1;
        await held;
      }),
    );
    while (inside < 2) await new Promise((resolve) => setImmediate(resolve));
    const waiting = store.load("x").catch(() => {});
    while (store.poolStats().waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(store.poolStats()).toEqual({ total: 2, idle: 0, acquired: 2, waiting: 1, max: 2 });
    letGo();
    await Promise.all([...transactions, waiting]);
    expect(store.poolStats()).toEqual({ total: 2, idle: 2, acquired: 0, waiting: 0, max: 2 });
    await store.close();
  });
});
