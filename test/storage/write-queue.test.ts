import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createPool } from "../../src/postgres/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { backends, embeddedBackend, servers } from "../support/backends.ts";
import { checkpoint, type Engine, longList, openEngine, pendingWrite as write } from "./engine.ts";
import { lockThread } from "./locks.ts";

describe.each(backends)("the write queue on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  test("what waits leaves together", async () => {
    const storage = engine.another();
    const threads = Array.from({ length: 100 }, () => randomUUID());
    await Promise.all(threads.map((thread) => storage.put(checkpoint(thread, { thread }))));
    expect(storage.database.counters.statements).toBeLessThan(20);
    const read = engine.another();
    for (const thread of threads) {
      expect((await read.read(thread, ""))?.values.get("thread")).toBe(thread);
    }
  });

  test("what waits for a thread's first put leaves as one statement", async () => {
    const storage = engine.another();
    const thread = randomUUID();
    const first = checkpoint(thread, { n: 0 });
    const { checkpointId } = first;
    const tasks = Array.from({ length: 300 }, (_, i) => `task ${i}`);
    await Promise.all([
      storage.put(first),
      ...tasks.map((taskId) => storage.putWrites(write(thread, { checkpointId, taskId }))),
    ]);
    expect(storage.database.counters.statements).toBe(2);
    const stored = await engine.another().read(thread, "", checkpointId);
    expect(new Set(stored?.writes.map(({ taskId }) => taskId))).toEqual(new Set(tasks));
  });

  test("no statement takes more than 4,096 rows of more than one operation", async () => {
    const storage = engine.another();
    const thread = randomUUID();
    const first = checkpoint(thread, { n: 0 });
    const { checkpointId } = first;
    const many = Array.from({ length: 2000 }, (_, idx) => ({ idx, channel: "x", value: idx }));
    await storage.put(first);
    const { statements } = storage.database.counters;
    await Promise.all(
      ["a", "b", "c", "d"].map((taskId) =>
        storage.putWrites(write(thread, { checkpointId, taskId, writes: many })),
      ),
    );
    // The third begins below the limit, and so belongs to the first statement.
    expect(storage.database.counters.statements - statements).toBe(2);
    expect((await engine.another().read(thread, "", checkpointId))?.writes).toHaveLength(8000);
  });

  test("no statement takes more than a megabyte of more than one operation", async () => {
    const storage = engine.another();
    const data = JSON.stringify("x".repeat(600_000));
    const puts = Array.from({ length: 3 }, () => checkpoint(randomUUID(), {}, { data }));
    await Promise.all(puts.map((one) => storage.put(one)));
    expect(storage.database.counters.statements).toBe(3);
  });

  test("the fake timers of a user's tests stop nothing", async () => {
    const storage = engine.another();
    const thread = randomUUID();
    await storage.put(checkpoint(thread, { n: 0 }));
    const one = checkpoint(thread, { n: 1 });
    vi.useFakeTimers();
    try {
      // The second has to wait for the first: they write one row.
      await Promise.all([storage.put(one), storage.put({ ...one, data: '{"again":true}' })]);
      expect((await storage.read(thread, ""))?.data).toBe('{"again":true}');
    } finally {
      vi.useRealTimers();
    }
  });

  test("what a step wrote leaves with the put that ends it", async () => {
    const storage = engine.another();
    const thread = randomUUID();
    await storage.put(checkpoint(thread, { n: 0 }));
    const before = storage.database.counters.statements;
    const [first, second] = [checkpoint(thread, { n: 1 }), checkpoint(thread, { n: 2 })];
    const { checkpointId } = first;
    const putting = storage.put(first);
    await new Promise(setImmediate);
    await Promise.all([
      putting,
      storage.putWrites(write(thread, { checkpointId, taskId: "a" })),
      storage.putWrites(write(thread, { checkpointId, taskId: "b", writes: [] })),
      storage.put(second),
    ]);
    expect(storage.database.counters.statements - before).toBe(2);
    const read = engine.another();
    expect((await read.read(thread, ""))?.values.get("n")).toBe(2);
    const step = await read.read(thread, "", checkpointId);
    expect(step?.values.get("n")).toBe(1);
    expect(step?.writes.map(({ taskId }) => taskId)).toEqual(["a"]);
  });

  test("one bad row fails alone, and is found by halving", async () => {
    const storage = engine.another();
    const { errors } = storage.database.counters;
    const threads = Array.from({ length: 30 }, () => randomUUID());
    const results = await Promise.allSettled(
      threads.map((thread, i) =>
        storage.put(checkpoint(thread, { i }, i === 17 ? { metadata: "not JSON" } : {})),
      ),
    );
    expect(results.map((one) => one.status)).toEqual(
      threads.map((_, i) => (i === 17 ? "rejected" : "fulfilled")),
    );
    expect(results[17]).toMatchObject({ reason: { code: "DATABASE_ERROR", sqlState: "22P02" } });
    // Of 30, 15, 7, 3, 2 and 1.
    expect(storage.database.counters.errors - errors).toBe(6);
    const read = engine.another();
    expect(await read.read(threads[17] ?? "", "")).toBeUndefined();
    expect((await read.read(threads[18] ?? "", ""))?.values.get("i")).toBe(18);
  });

  test("case 29: a failed put does not poison the next", async () => {
    const thread = randomUUID();
    const bad = checkpoint(thread, { a: 1 }, { metadata: "{" });
    await expect(engine.storage.put(bad)).rejects.toMatchObject({ sqlState: "22P02" });
    await engine.storage.put(checkpoint(thread, { a: 2 }));
    expect((await engine.storage.read(thread, ""))?.values.get("a")).toBe(2);
  });

  test("the same checkpoint twice at once is stored once, the later content wins", async () => {
    const threads = Array.from({ length: 12 }, () => randomUUID());
    const puts = threads.map((thread) => checkpoint(thread, { a: 1 }));
    // As many statements as there may be are in flight, and both of a pair could be among them.
    await Promise.all(
      puts.flatMap((one) => [
        engine.storage.put(one),
        engine.storage.put({ ...one, data: '{"again":true}' }),
      ]),
    );
    const rows = await engine.sql(
      "SELECT convert_from(checkpoint_data, 'UTF8') AS data FROM T WHERE thread_id = ANY ($1)",
      [threads],
    );
    expect(rows).toEqual(threads.map(() => ({ data: '{"again":true}' })));
  });

  test("case 24: at once, special writes replace and others are kept, each by itself, in their order", async () => {
    const threads = Array.from({ length: 12 }, () => randomUUID());
    const both = (thread: string, value: string) =>
      write(thread, {
        writes: [
          { idx: 0, channel: "x", value },
          { idx: -1, channel: "__error__", value },
        ],
      });
    const { errors } = engine.storage.database.counters;
    for (const thread of threads) {
      await engine.storage.put(checkpoint(thread, {}, { checkpointId: "c" }));
      await Promise.all(
        ["first", "second", "third"].map((value) => engine.storage.putWrites(both(thread, value))),
      );
      const read = await engine.another().read(thread, "", "c");
      const byChannel = Object.fromEntries(
        (read?.writes ?? []).map((one) => [one.channel, one.value]),
      );
      expect(byChannel).toEqual({ x: "first", __error__: "third" });
    }
    // No statement was tried that wrote a row twice.
    expect(engine.storage.database.counters.errors).toBe(errors);
  });

  test("parallel tasks of one thread do not wait for each other", async () => {
    const thread = randomUUID();
    const storage = engine.another();
    await storage.put(checkpoint(thread, {}, { checkpointId: "c" }));
    const { statements } = storage.database.counters;
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => storage.putWrites(write(thread, { taskId: `${i}` }))),
    );
    expect(storage.database.counters.statements - statements).toBeLessThan(8);
    expect((await engine.another().read(thread, "", "c"))?.writes).toHaveLength(100);
  });

  test("large pending writes share the thread's chunks", async () => {
    const thread = randomUUID();
    const list = longList(50);
    const head = checkpoint(thread, { list });
    await engine.storage.put(head);
    const count = async () =>
      (
        await engine.sql("SELECT count(*)::int AS n FROM T_chunks WHERE thread_id = $1", [thread])
      )[0]?.n;
    const before = await count();
    await engine.storage.putWrites(
      write(thread, {
        checkpointId: head.checkpointId,
        writes: [{ idx: 0, channel: "list", value: list }],
      }),
    );
    expect(await count()).toBe(before);
    expect((await engine.another().read(thread, ""))?.writes[0]?.value).toEqual(list);
  });
});

test("what is written before the end is still stored", async () => {
  const backend = await embeddedBackend.open();
  const settings = { schema: backend.schema, autoMigrate: true };
  const storage = openStorage({ pool: backend.pool, owned: false, settings });
  await storage.setup();
  const thread = randomUUID();
  const putting = Promise.all(
    // The second waits for what the first finds out of the thread.
    [0, 1].flatMap((n) => [
      storage.put(checkpoint(thread, { n })),
      storage.put(checkpoint(randomUUID(), { n })),
    ]),
  );
  await storage.close();
  await putting;
  const again = openStorage({ pool: backend.pool, owned: false, settings });
  expect((await again.read(thread, ""))?.values.get("n")).toBe(1);
  await backend.close();
});

test("callers without tables are told together", async () => {
  const backend = await embeddedBackend.open();
  const storage = openStorage({
    pool: backend.pool,
    owned: false,
    settings: { schema: backend.schema },
  });
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, () => storage.put(checkpoint(randomUUID(), { n: 1 }))),
  );
  for (const one of results) expect(one).toMatchObject({ reason: { code: "TABLES_MISSING" } });
  expect(storage.database.counters.errors).toBe(1);
  await backend.close();
});

test("callers of a server that cannot be reached are told together, not one deadline after the other", async () => {
  const pool = createPool({ connString: "postgres://u:p@127.0.0.1:1/x" });
  const storage = openStorage({ pool, owned: true, settings: { deadline: 300 } });
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, () => storage.put(checkpoint(randomUUID(), { n: 1 }))),
  );
  expect(new Set(results.map((one) => one.status === "rejected" && one.reason.code))).toEqual(
    new Set(["CONNECTION_FAILED"]),
  );
  expect(storage.database.counters.errors).toBe(1);
  await storage.close();
});

describe.each(servers)("the lock on one thread, on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  test("fails the calls of that thread alone", async () => {
    const storage = engine.another({ deadline: 2000 });
    const [locked = "", ...free] = Array.from({ length: 5 }, () => randomUUID());
    for (const thread of [locked, ...free]) await storage.put(checkpoint(thread, { n: 0 }));
    const unlock = await lockThread(engine, locked);
    const { errors } = storage.database.counters;
    const put = (thread: string, n: number) => storage.put(checkpoint(thread, { n }));
    try {
      const ofLocked = Promise.allSettled([put(locked, 1), put(locked, 2), put(locked, 3)]);
      await Promise.all(free.map((thread) => put(thread, 1)));
      for (const one of await ofLocked) {
        expect(one).toMatchObject({ reason: { code: "DEADLINE_EXCEEDED" } });
      }
      // All together, and then one of that thread alone: none waits for three deadlines.
      expect(storage.database.counters.errors - errors).toBe(2);
    } finally {
      await unlock();
    }
    await put(locked, 4);
    expect((await engine.another().read(locked, ""))?.values.get("n")).toBe(4);
  });

  test("keeps others waiting for the pool's only connection, and fails none of them", async () => {
    const { connString = "", schema } = engine.backend;
    const pool = createPool({ connString, maxConns: 1 });
    const storage = openStorage({ pool, owned: true, settings: { schema, deadline: 2000 } });
    const [locked = "", ...free] = Array.from({ length: 5 }, () => randomUUID());
    for (const thread of [locked, ...free]) await storage.put(checkpoint(thread, { n: 0 }));
    const unlock = await lockThread(engine, locked);
    try {
      const ofLocked = Promise.allSettled([storage.put(checkpoint(locked, { n: 1 }))]);
      await Promise.all(free.map((thread) => storage.put(checkpoint(thread, { n: 1 }))));
      expect(await ofLocked).toMatchObject([{ reason: { code: "DEADLINE_EXCEEDED" } }]);
    } finally {
      await unlock();
    }
    await storage.close();
  });
});

describe.each(servers)("two engines on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  test("overlapping batches in opposite order do not deadlock", async () => {
    const threads = Array.from({ length: 40 }, () => randomUUID());
    const [a, b] = [engine.another(), engine.another()];
    for (const thread of threads) await a.put(checkpoint(thread, { start: longList(4) }));
    for (const thread of threads) await b.read(thread, "");
    const deadlocks = async () =>
      (
        await engine.sql(
          "SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()",
        )
      )[0]?.n;
    const before = await deadlocks();
    const shared = longList(20);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        ...threads.map((thread) => a.put(checkpoint(thread, { shared }))),
        ...threads.toReversed().map((thread) => b.put(checkpoint(thread, { shared }))),
        ...threads.map((thread) =>
          b.putWrites(
            write(thread, {
              taskId: `${round}`,
              writes: [{ idx: 0, channel: "s", value: shared }],
            }),
          ),
        ),
      ]);
    }
    expect(await deadlocks()).toBe(before);
    expect(a.database.counters.retries + b.database.counters.retries).toBe(0);
  });

  test("seq has no gap that hides a checkpoint and no twin, whoever writes", async () => {
    const thread = randomUUID();
    const engines = Array.from({ length: 4 }, () => engine.another());
    await Promise.all(
      engines.flatMap((one) =>
        Array.from({ length: 25 }, () => one.put(checkpoint(thread, { a: 1 }))),
      ),
    );
    const rows = await engine.sql(
      "SELECT seq::int AS seq FROM T WHERE thread_id = $1 ORDER BY seq",
      [thread],
    );
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("case 30: a deletion while others write leaves a whole thread or none", async () => {
    for (let round = 0; round < 10; round += 1) {
      const thread = randomUUID();
      const [a, b] = [engine.another(), engine.another()];
      const list = longList(30);
      let parentId: string | null = null;
      const writing = (async () => {
        for (let i = 0; i < 12; i += 1) {
          list.push(`${i}`.repeat(300));
          const next = checkpoint(thread, { list: [...list] }, { parentId });
          await a.put(next);
          parentId = next.checkpointId;
        }
      })().catch((error: unknown) => error);
      await engine.storage.put(checkpoint(randomUUID()));
      for (let i = 0; i < round; i += 1) await b.read(thread, "");
      await b.remove(thread);
      expect(await writing).toSatisfy(
        (end) => end === undefined || (end as { code: string }).code === "THREAD_CONFLICT",
      );
      for await (const one of engine.another().list({ threadId: thread })) {
        expect(one.values.get("list")).toBeInstanceOf(Array);
      }
      const left = await engine.sql(
        `SELECT (SELECT count(*) FROM T_threads WHERE thread_id = $1)::int AS threads,
          (SELECT count(*) FROM T WHERE thread_id = $1)::int + (SELECT count(*) FROM T_chunks WHERE thread_id = $1)::int
            + (SELECT count(*) FROM T_values WHERE thread_id = $1)::int AS rest`,
        [thread],
      );
      if (left[0]?.threads === 0) expect(left[0]?.rest).toBe(0);
    }
  });
});
