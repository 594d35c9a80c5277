/** Saving: what comes back, what replaces what, which version a record is given. */
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import { DuplicateCheckpointError } from "../../src/index.ts";
import { both, failure, fresh, newest, useStore } from "./open-store.ts";

describe.each(both)("save and load on $name", (backend) => {
  const fixture = useStore(backend);

  test("what was saved comes back equal, with what the database gave it", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const before = Date.now();
    const saved = await store.save({
      id: fresh("cp"),
      threadId,
      namespace: "planner",
      parentId: "earlier",
      executionId: "run-1",
      nodeName: "plan",
      state: { step: 3, messages: [new HumanMessage("hi"), new AIMessage("ho")] },
      metadata: { source: "test", nested: { a: [1, null] } },
    });
    expect(saved).toMatchObject({ threadId, namespace: "planner", version: 1 });
    expect(saved.timestamp.getTime()).toBeGreaterThan(before - 60_000);
    for (const reader of [store, another()]) expect(await reader.load(saved.id)).toEqual(saved);
    const { state } = await another().load<{ messages: unknown[] }>(saved.id);
    expect(state.messages[0]).toBeInstanceOf(HumanMessage);
    expect(state.messages[1]).toBeInstanceOf(AIMessage);
  });

  test("a state keeps its types, whatever it is", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const states: unknown[] = [
      null,
      undefined,
      "text",
      "",
      0,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      12345678901234567890n,
      true,
      [],
      {},
      [1, "two", { three: [3] }],
      new Date(0),
      new Map([["a", 1]]),
      new Set([1, 2]),
      new Uint8Array([0, 255, 128]),
      /re/gi,
      new HumanMessage("a message is a state too"),
      { undefined: undefined, nul: "\u0000", lone: "\ud800", date: new Date(1), "": "empty key" },
      { nested: { map: new Map([["k", { deep: new Set(["x"]) }]]) } },
    ];
    const saved = await store.saveBatch(
      states.map((state, i) => ({ id: `${threadId}/${i}`, threadId, state })),
    );
    const read = await another().listByThread(threadId);
    expect(read.map(({ id }) => id)).toEqual(saved.map(({ id }) => id));
    states.forEach((state, i) => {
      expect(read[i]?.state).toStrictEqual(state);
    });
    expect(Object.is(read[5]?.state, -0)).toBe(true);
  });

  test("keys come back in their order, whatever they are called", async () => {
    const { store, another } = fixture.current;
    const state = JSON.parse(
      '{"z":1,"a":2,"__proto__":{"polluted":true},"constructor":3,"toString":4,"\\u0000":5,"\\ud800":6,"10":7,"2":8}',
    ) as Record<string, unknown>;
    const { id } = await store.save({ id: fresh("cp"), threadId: fresh("thread"), state });
    const read = (await another().load<Record<string, unknown>>(id)).state;
    expect(Object.keys(read)).toEqual(Object.keys(state));
    expect(JSON.stringify(read)).toBe(JSON.stringify(state));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("keys too long or too many for rows of their own make one value", async () => {
    const { store, another, sql } = fixture.current;
    const long = { ["k".repeat(600)]: 1, other: 2 };
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key ${i}`, i]));
    for (const state of [long, many]) {
      const threadId = fresh("thread");
      const { id } = await store.save({ id: fresh("cp"), threadId, state });
      expect((await another().load(id)).state).toEqual(state);
      const [row] = await sql("SELECT count(*)::int AS n FROM T_values WHERE thread_id = $1", [
        threadId,
      ]);
      expect(row?.n).toBe(1);
    }
  });

  test("thread, execution and end come from the metadata where the record does not say", async () => {
    const { store } = fixture.current;
    const [thread, execution] = [fresh("thread"), fresh("run")];
    const end = new Date(Date.now() + 3_600_000);
    const metadata = { thread_id: thread, execution_id: execution, expires_at: end.toISOString() };
    const saved = await store.save({ id: fresh("cp"), state: 1, metadata });
    expect(saved).toMatchObject({ threadId: thread, executionId: execution, expiresAt: end });
    expect((await store.load(saved.id)).metadata).toEqual(metadata);
    expect((await store.list(execution)).map(({ id }) => id)).toEqual([saved.id]);
    expect((await store.listByThread(thread)).map(({ id }) => id)).toEqual([saved.id]);

    const own = await store.save({
      id: fresh("cp"),
      threadId: fresh("thread"),
      executionId: "mine",
      expiresAt: end.getTime() + 1,
      state: 1,
      metadata,
    });
    expect(own.threadId).not.toBe(thread);
    expect(own).toMatchObject({ executionId: "mine", expiresAt: new Date(end.getTime() + 1) });

    const alone = await store.save({ id: fresh("cp"), executionId: execution, state: 1 });
    expect(alone.threadId).toBe(execution);
  });

  test("a record that exists is replaced, and counts as the newest again", async () => {
    const { store, sql } = fixture.current;
    const threadId = fresh("thread");
    const [a, b] = [fresh("cp"), fresh("cp")];
    await store.save({ id: a, threadId, state: { v: "first", gone: true } });
    await store.save({ id: b, threadId, state: { v: "between" } });
    const again = await store.save({ id: a, threadId, state: { v: "second" }, metadata: { n: 2 } });
    expect(again.version).toBe(3);
    expect((await store.load(a)).state).toEqual({ v: "second" });
    expect((await store.getLatestByThread(threadId))?.id).toBe(a);
    expect(await sql("SELECT count(*)::int AS n FROM T WHERE thread_id = $1", [threadId])).toEqual([
      { n: 2 },
    ]);
  });

  test("…or refused, and nothing is changed", async () => {
    const { store, sql } = fixture.current;
    const threadId = fresh("thread");
    const record = { id: fresh("cp"), threadId, state: { v: "first" } };
    await store.save(record, { ifExists: "error" });
    const counts = () =>
      sql(
        `SELECT (SELECT last_seq FROM T_threads WHERE thread_id = $1) AS seq,
          (SELECT count(*) FROM T_values WHERE thread_id = $1) AS n`,
        [threadId],
      );
    const before = await counts();
    const error = await failure(
      store.save({ ...record, state: { v: "second" } }, { ifExists: "error" }),
    );
    expect(error).toBeInstanceOf(DuplicateCheckpointError);
    expect(error).toMatchObject({ code: "DUPLICATE_CHECKPOINT", sqlState: "23505" });
    expect(error.cause).toMatchObject({ code: "23505", constraint: "checkpoints_pkey" });
    expect(await counts()).toEqual(before);
    expect((await store.load(record.id)).state).toEqual({ v: "first" });
  });

  test("the same id in another thread or namespace is another record", async () => {
    const { store } = fixture.current;
    const id = fresh("cp");
    const [one, two] = [fresh("thread"), fresh("thread")];
    await store.save({ id, threadId: one, state: 1 }, { ifExists: "error" });
    await store.save({ id, threadId: two, state: 2 }, { ifExists: "error" });
    await store.save({ id, threadId: one, namespace: "n", state: 3 }, { ifExists: "error" });
    expect((await store.load(id, { threadId: two })).state).toBe(2);
    expect((await store.load(id)).state).toBe(3);
  });

  test("versions count up by themselves, past every version that a record brought", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const versionOf = async (version?: number) =>
      (await store.save({ id: fresh("cp"), threadId, version, state: 1 })).version;
    expect(await versionOf()).toBe(1);
    expect(await versionOf()).toBe(2);
    expect(await versionOf(100)).toBe(100);
    const next = await versionOf();
    expect(next).toBeGreaterThan(100);
    expect(await versionOf(50)).toBe(50);
    expect(await versionOf(-7)).toBe(-7);
    expect(await versionOf()).toBeGreaterThan(next);
    const versions = (await store.listByThread(threadId)).map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(versions.length);
  });

  test("a version that a record brings does not change those of records that are saved in the same go", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    await store.save({ id: fresh("cp"), threadId, state: 1 });
    const saved = await Promise.all([
      store.save({ id: fresh("cp"), threadId, state: 1 }),
      store.save({ id: fresh("cp"), threadId, state: 1, version: 50 }),
      store.save({ id: fresh("cp"), threadId, state: 1 }),
    ]);
    const [before, brought, after] = saved.map(({ version }) => version);
    expect([before, brought]).toEqual([2, 50]);
    expect(after).toBeGreaterThan(50);
  });

  test("one version twice in a thread, namespace and execution is refused", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const record = { threadId, version: 7, state: 1 };
    await store.save({ ...record, id: fresh("cp") });
    const error = await failure(another().save({ ...record, id: fresh("cp") }));
    expect(error).toBeInstanceOf(DuplicateCheckpointError);
    expect(error).toMatchObject({ sqlState: "23505", message: /version that another/ });
    // Another execution counts for itself, and so does another namespace.
    await store.save({ ...record, id: fresh("cp"), executionId: "e" });
    await store.save({ ...record, id: fresh("cp"), namespace: "n" });
    await expect(
      store.save({ ...record, id: fresh("cp"), executionId: "e" }),
    ).rejects.toBeInstanceOf(DuplicateCheckpointError);
    expect(await store.listByThread(threadId)).toHaveLength(3);
  });

  test("a record that was loaded can be saved again as it is", async () => {
    const { store } = fixture.current;
    const { id } = await store.save({
      id: fresh("cp"),
      threadId: fresh("thread"),
      executionId: "e",
      expiresAt: Date.now() + 60_000,
      state: { a: 1 },
      metadata: { m: 1 },
    });
    const loaded = await store.load<{ a: number }>(id);
    await store.save({ ...loaded, state: { a: 2 } });
    expect(await store.load(id)).toEqual({ ...loaded, state: { a: 2 } });
  });

  test("what cannot be serialised is refused by name, and nothing is written", async () => {
    const { store, sql } = fixture.current;
    const threadId = fresh("thread");
    const bad = { id: fresh("cp"), threadId, state: { ok: 1, bad: { deep: [() => 1] } } };
    expect(await failure(store.save(bad))).toMatchObject({
      code: "SERIALIZATION_FAILED",
      message: expect.stringMatching(/channel "bad".*deep/),
    });
    expect(await failure(store.save({ ...bad, state: 1, metadata: { f: () => 1 } }))).toMatchObject(
      { code: "SERIALIZATION_FAILED" },
    );
    expect(await sql("SELECT 1 FROM T_threads WHERE thread_id = $1", [threadId])).toEqual([]);
  });
});

describe("many writers of one thread", () => {
  const fixture = useStore(newest);

  test("no version is given twice, and all that were acknowledged are there", async () => {
    const { another } = fixture.current;
    const threadId = fresh("thread");
    const stores = Array.from({ length: 6 }, () => another());
    const saved = await Promise.all(
      stores.flatMap((store, s) =>
        Array.from({ length: 15 }, (_, i) =>
          store.save({ id: `${threadId}/${s}/${i}`, threadId, state: { s, i } }),
        ),
      ),
    );
    const versions = saved.map(({ version }) => version);
    expect(new Set(versions).size).toBe(90);
    const read = await another().listByThread(threadId);
    expect(read.map(({ version }) => version)).toEqual([...versions].sort((a, b) => a - b));
    const [latest] = read.slice(-1);
    expect(await another().getLatestByThread(threadId)).toEqual(latest);
  });

  test("of many that bring one version, one is taken", async () => {
    const { another } = fixture.current;
    const threadId = fresh("thread");
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        another().save({ id: `${threadId}/${i}`, threadId, version: 1, state: i }),
      ),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const one of results) {
      if (one.status === "rejected") expect(one.reason).toBeInstanceOf(DuplicateCheckpointError);
    }
  });

  test("explicit and counted versions from several processes never meet", async () => {
    const { another } = fixture.current;
    const threadId = fresh("thread");
    const counted = [another(), another(), another()].map(async (store, s) => {
      for (let i = 0; i < 20; i += 1) {
        await store.save({ id: `${threadId}/counted/${s}/${i}`, threadId, state: i });
      }
    });
    const explicit = (async () => {
      const store = another();
      for (let version = 10; version <= 200; version += 10) {
        // Ahead of the count, until the count has overtaken it.
        await store
          .save({ id: `${threadId}/explicit/${version}`, threadId, version, state: version })
          .catch((error: unknown) => expect(error).toBeInstanceOf(DuplicateCheckpointError));
      }
    })();
    await Promise.all([...counted, explicit]);
    const versions = (await another().listByThread(threadId)).map(({ version }) => version);
    expect(versions.length).toBeGreaterThanOrEqual(60);
    expect(new Set(versions).size).toBe(versions.length);
  });
});
