/** A new key, and rows from before there was any. */
import { HumanMessage } from "@langchain/core/messages";
import { TASKS } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import { type PostgresCheckpointStore, PostgresSaver, type StoreOptions } from "../../src/index.ts";
import { checkpointOf, METADATA, putAll, tuples } from "../contract/material.ts";
import { wrapPool } from "../contract/wrapped-pool.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { both, fresh, newest, useStore } from "../records/open-store.ts";
import { marked, under } from "./material.ts";

const CLEAR = { encryption: undefined } as unknown as StoreOptions;
const config = (thread: string) => ({ configurable: { thread_id: thread, checkpoint_ns: "" } });

/** A chat with long messages, a record, and a pending write: something of every table. */
async function fill(store: PostgresCheckpointStore, thread: string): Promise<void> {
  const graph = chatGraph({ checkpointer: store.checkpointer });
  for (const turn of ["1", "2"]) {
    const message = new HumanMessage({ id: turn, content: `${turn} long `.repeat(200) });
    await graph.invoke({ messages: [message] }, config(thread));
  }
  const record = { id: `${thread} r`, threadId: thread, state: { list: marked("record") } };
  await store.save({ ...record, metadata: { user_id: "u", secret: "s" } });
  // In a namespace of its own: the chat goes on from its own last checkpoint.
  const side = { configurable: { thread_id: thread, checkpoint_ns: "side" } };
  const at = await putAll(store.checkpointer, side, checkpointOf({ list: marked("last") }), {
    ...METADATA,
    user_id: "u",
  } as never);
  await store.checkpointer.putWrites(at, [["list", marked("write")]], "task");
}

/** What the thread holds, in the order of its checkpoints. */
async function contents(store: PostgresCheckpointStore, thread: string): Promise<unknown> {
  const tuples = [];
  const all = store.checkpointer.list({ configurable: { thread_id: thread } });
  for await (const { checkpoint, pendingWrites, metadata } of all) {
    tuples.push({ checkpoint, pendingWrites, metadata });
  }
  const records = await store.listByThread(thread);
  return { tuples, records: records.map(({ state, metadata }) => ({ state, metadata })) };
}

describe.each(both)("on $name", (backend) => {
  const fixture = useStore(backend, { autoMigrate: true });
  const open = () => fixture.current;

  test("what was stored in the clear is encrypted thread by thread, and reads the same", async () => {
    const plain = open().another(CLEAR);
    const threads = [fresh("clear"), fresh("clear")];
    for (const thread of threads) await fill(plain, thread);
    const before = await Promise.all(threads.map((thread) => contents(plain, thread)));
    const settings = { plainMetadata: ["user_id"] };
    const lenient = open().another(under(["a"], { ...settings, allowPlaintext: true }));
    // Before, between and after: it can be read, and written to.
    expect(await contents(lenient, threads[0] as string)).toEqual(before[0]);
    const strict = open().another(under(["a"], settings));
    const refusing = await strict.reencrypt({ threads });
    expect(refusing).toMatchObject({ threads: 0, rows: 0 });
    expect(refusing.refused.map(({ threadId }) => threadId)).toEqual(threads);
    const seen: unknown[] = [];
    const report = await lenient.reencrypt({
      threads,
      onProgress: ({ threadId, done, total }) => seen.push([threadId, done, total]),
    });
    expect(report).toMatchObject({ threads: 2, unchanged: 0, refused: [] });
    expect(report.rows).toBeGreaterThan(20);
    expect(seen).toEqual(threads.map((threadId, i) => [threadId, i + 1, 2]));
    expect(
      await Promise.all(threads.map((thread) => contents(open().another(under(["a"])), thread))),
    ).toEqual(before);
    expect(await strict.reencrypt({ threads })).toMatchObject({
      threads: 0,
      unchanged: 2,
      rows: 0,
    });
    const rows = await open().sql(
      "SELECT metadata FROM T WHERE thread_id = ANY ($1) AND metadata ? 'user_id'",
      [threads],
    );
    expect(rows.length).toBe(4);
    for (const { metadata } of rows) {
      expect(
        Object.keys(metadata as object).every((key) => ["user_id", "parents"].includes(key)),
      ).toBe(true);
    }
  });

  test("a new key in front: both are read, all is rewritten, the old one can go", async () => {
    const old = open().another(under(["old"]));
    const thread = fresh("rotated");
    await fill(old, thread);
    const before = await contents(old, thread);
    const rotating = open().another(under(["new", "old"]));
    expect(await contents(rotating, thread)).toEqual(before);
    // A run that goes on under the new key brings its whole state once more.
    const graph = chatGraph({ checkpointer: rotating.checkpointer });
    await graph.invoke(
      { messages: [new HumanMessage({ id: "3", content: "third" })] },
      config(thread),
    );
    const mixed = await contents(open().another(under(["new", "old"])), thread);
    await expect(contents(open().another(under(["new"])), thread)).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
    const report = await rotating.reencrypt({ threads: [thread] });
    expect(report).toMatchObject({ threads: 1, refused: [] });
    expect(await contents(open().another(under(["new"])), thread)).toEqual(mixed);
    await expect(contents(open().another(under(["old"])), thread)).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
    // Writers that knew the chunks by their old ids: what they put is whole.
    const known = chatGraph({ checkpointer: rotating.checkpointer });
    await known.invoke(
      { messages: [new HumanMessage({ id: "4", content: "fourth" })] },
      config(thread),
    );
    const again = chatGraph({ checkpointer: open().another(under(["new"])).checkpointer });
    expect(texts((await again.getState(config(thread))).values)).toHaveLength(8);
    await rotating.prune({ threads: [thread], keepLast: 1 });
    expect(texts((await again.getState(config(thread))).values)).toHaveLength(8);
  });

  test("a writer that read what the old key sealed does not count on it as stored", async () => {
    const thread = fresh("counted");
    const say = (store: PostgresCheckpointStore, id: string) =>
      chatGraph({ checkpointer: store.checkpointer }).invoke(
        { messages: [new HumanMessage({ id, content: `${id} long `.repeat(200) })] },
        config(thread),
      );
    const state = async (store: PostgresCheckpointStore): Promise<string[]> =>
      texts(
        (await chatGraph({ checkpointer: store.checkpointer }).getState(config(thread))).values,
      );
    await say(open().another(under(["old"])), "1");
    const rotating = open().another(under(["new", "old"]));
    expect(await state(rotating)).toHaveLength(2);
    await say(rotating, "2");
    // The values that the last checkpoint names are whole under the new key alone.
    expect(await state(open().another(under(["new"])))).toHaveLength(4);
  });

  test("a writer that still has the old key in front is whole after a rewrite by another", async () => {
    const first = open().another(under(["old", "new"]));
    const thread = fresh("late");
    const graph = chatGraph({ checkpointer: first.checkpointer });
    const say = (id: string) =>
      graph.invoke(
        { messages: [new HumanMessage({ id, content: `${id} `.repeat(300) })] },
        config(thread),
      );
    await say("1");
    await open()
      .another(under(["new", "old"]))
      .reencrypt({ threads: [thread] });
    await say("2");
    const other = chatGraph({ checkpointer: open().another(under(["new", "old"])).checkpointer });
    expect(texts((await other.getState(config(thread))).values)).toHaveLength(4);
  });
});

describe("reencrypt", () => {
  const fixture = useStore(newest, {});
  const open = () => fixture.current;

  test("is stopped by its signal and goes on where it ended", async () => {
    const old = open().another(under(["old"]));
    const threads = Array.from({ length: 5 }, () => fresh("stopped"));
    for (const thread of threads)
      await old.save({ id: thread, threadId: thread, state: marked(thread) });
    const rotating = open().another(under(["new", "old"]));
    const stop = new AbortController();
    const stopped = rotating.reencrypt({
      signal: stop.signal,
      onProgress: ({ done }) => done === 2 && stop.abort(new Error("enough")),
    });
    await expect(stopped).rejects.toThrow("enough");
    const report = await rotating.reencrypt();
    expect(report).toMatchObject({ threads: 3, unchanged: 2, refused: [] });
    const done = open().another(under(["new"]));
    for (const thread of threads) expect((await done.load(thread)).state).toEqual(marked(thread));
  });

  test("an abort within a thread leaves it as it was", async () => {
    const old = open().another(under(["old"]));
    const thread = fresh("aborted");
    // Several pages of rows.
    await old.saveBatch(
      Array.from({ length: 300 }, (_, i) => ({
        id: `${thread} ${i}`,
        threadId: thread,
        state: { i },
      })),
    );
    const rows = () =>
      open().sql(
        "SELECT md5(string_agg(checkpoint_data::text, ',' ORDER BY checkpoint_id)) FROM T WHERE thread_id = $1",
        [thread],
      );
    const before = await rows();
    const stop = new AbortController();
    let asked = 0;
    const signal = new Proxy(stop.signal, {
      get(target, key) {
        if (key === "throwIfAborted" && ++asked === 4) stop.abort();
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await expect(
      open()
        .another(under(["new", "old"]))
        .reencrypt({ threads: [thread], signal }),
    ).rejects.toThrow(/abort/i);
    expect(await rows()).toEqual(before);
  });

  test("a rewrite between any two statements of a read changes nothing of its answer", async () => {
    const { backend, another } = open();
    // Before format 4 a step's sends were pending writes of its parent: these are read by themselves.
    const format = { v: 1, versions_seen: {}, ts: "2024-04-19T17:19:07.952Z" };
    const reads: Record<string, (saver: PostgresSaver, thread: string) => Promise<unknown>> = {
      tuple: (saver, thread) => saver.getTuple(config(thread)),
      list: (saver, thread) => tuples(saver, config(thread)),
      history: (saver, thread) =>
        saver.getDeltaChannelHistory({ config: config(thread), channels: ["list"] }),
    };
    for (const [name, read] of Object.entries(reads)) {
      const statements = new Set<number>();
      for (let at = 1; at <= 4; at += 1) {
        const thread = fresh(name);
        const { checkpointer } = another(under(["old"]));
        const first = checkpointOf({ list: marked("first", 20) }, {}, format);
        const parent = await putAll(checkpointer, config(thread), first);
        const writes = [TASKS, "list"].map(
          (one) => [one, marked(`on ${one}`, 20)] as [string, unknown],
        );
        await checkpointer.putWrites(parent, writes, "task");
        await putAll(
          checkpointer,
          parent,
          checkpointOf({ other: marked("other", 20) }, {}, format),
        );
        const want = await read(checkpointer as PostgresSaver, thread);
        const pool = wrapPool(backend.pool);
        let passed = 0;
        pool.afterQuery = async () => {
          passed += 1;
          if (passed !== at) return;
          statements.add(at);
          const report = await another(under(["new", "old"])).reencrypt({ threads: [thread] });
          expect(report).toMatchObject({ threads: 1, refused: [] });
        };
        const settings = { schema: backend.schema, ...under(["new", "old"]) };
        const saver = new PostgresSaver(pool, undefined, settings);
        expect(await read(saver, thread), `${name}, after statement ${at}`).toEqual(want);
      }
      expect(statements.size, name).toBeGreaterThanOrEqual(2);
    }
  });

  test("a thread that cannot be read is named, and the others are rewritten", async () => {
    const [broken, whole] = [fresh("broken"), fresh("whole")];
    const old = open().another(under(["old"]));
    for (const thread of [broken, whole])
      await old.save({ id: thread, threadId: thread, state: marked("x") });
    await open().sql("UPDATE T_chunks SET payload = payload || '\\x00' WHERE thread_id = $1", [
      broken,
    ]);
    const report = await open()
      .another(under(["new", "old"]))
      .reencrypt({ threads: [broken, whole] });
    expect(report).toMatchObject({ threads: 1, refused: [{ threadId: broken }] });
    const keyless = await open()
      .another(under(["newer"]))
      .reencrypt({ threads: [whole] });
    expect(keyless.refused[0]?.message).toMatch(/"new", which was not configured/);
  });

  test("metadata keys that are listed no more are taken out; new ones come with metadata: true", async () => {
    const thread = fresh("listed");
    const before = open().another(under(["a"], { plainMetadata: ["user_id"] }));
    await before.save({
      id: thread,
      threadId: thread,
      state: 1,
      metadata: { user_id: "u", team: "t" },
    });
    const visible = () => open().sql("SELECT metadata FROM T WHERE thread_id = $1", [thread]);
    expect(await visible()).toEqual([{ metadata: { user_id: "u" } }]);
    const after = open().another(under(["a"], { plainMetadata: ["team"] }));
    expect(await after.reencrypt({ threads: [thread] })).toMatchObject({ threads: 1 });
    expect(await visible()).toEqual([{ metadata: { team: "t" } }]);
    expect(await before.reencrypt({ threads: [thread], metadata: true })).toMatchObject({
      threads: 1,
    });
    expect(await visible()).toEqual([{ metadata: { user_id: "u" } }]);
    expect((await after.load(thread)).metadata).toEqual({ user_id: "u", team: "t" });
  });

  test("needs keys, and options that make sense", async () => {
    const plain = open().another(CLEAR);
    await expect(plain.reencrypt()).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: /needs the keys/,
    });
    const store = open().another(under(["a"]));
    for (const options of [{ metadata: 1 }, { thread: "t" }, { threads: "t" }]) {
      await expect(store.reencrypt(options as never)).rejects.toMatchObject({ name: /Invalid/ });
    }
  });
});
