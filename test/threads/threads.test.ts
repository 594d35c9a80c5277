/** Threads as a whole: copied, deleted, listed, looked at. */
import { randomUUID } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { migrateTo } from "../../src/schema/index.ts";
import { copyThread } from "../../src/threads/copy-thread.ts";
import { deleteForRuns, deleteThreads } from "../../src/threads/delete-threads.ts";
import { getThread, listThreads, type ThreadInfo } from "../../src/threads/list-threads.ts";
import { stats } from "../../src/threads/stats.ts";
import { checkpointOf, METADATA, putAll, tuples } from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { expectTidy, newest, type OpenStore, openStore } from "../retention/store.ts";

const long = (name: string) => `${name} ${"words ".repeat(400)}`;
const configOf = (threadId: string, more = {}): RunnableConfig => ({
  configurable: { thread_id: threadId, checkpoint_ns: "", ...more },
});

describe.each(newest)("$name", (backend) => {
  let store: OpenStore;
  beforeEach(async () => {
    store = await openStore(backend);
  });
  afterEach(async () => {
    await expectTidy(store);
    await store.close();
  });

  const fresh = () => new PostgresSaver(store.fresh());
  const put = (threadId: string, metadata: object = {}, values: Record<string, unknown> = {}) =>
    putAll(store.saver, configOf(threadId), checkpointOf(values), {
      ...METADATA,
      ...metadata,
    } as CheckpointMetadata);

  describe("copyThread", () => {
    test("a graph goes on in the copy, and the two have nothing in common", async () => {
      const graph = chatGraph({ checkpointer: store.saver, reply: (m) => long(`a${m.length}`) });
      for (const text of ["q1", "q2"]) await graph.invoke({ messages: [text] }, configOf("from"));
      const before = await tuples(store.saver, configOf("from"));
      const report = await copyThread(store.storage, "from", "to");
      expect(report).toMatchObject(await store.rows("to"));
      expect(await store.rows("to")).toEqual(await store.rows("from"));
      expect(report?.bytes).toBe((await getThread(store.storage, "to"))?.bytes);

      await chatGraph({ checkpointer: fresh() }).invoke({ messages: ["q3"] }, configOf("to"));
      expect(await tuples(fresh(), configOf("from"))).toEqual(before);
      await deleteThreads(store.storage, ["from"]);
      const { values } = await chatGraph({ checkpointer: fresh() }).getState(configOf("to"));
      expect(texts(values)).toEqual(["q1", long("a1"), "q2", long("a3"), "q3", "answer 5"]);
    });

    test("a target that exists is an error, and neither thread is touched", async () => {
      await put("from", {}, { x: 1 });
      await put("to", {}, { x: 2 });
      const before = await Promise.all([store.rows("from"), store.rows("to")]);
      await expect(copyThread(store.storage, "from", "to")).rejects.toMatchObject({
        code: "THREAD_EXISTS",
        name: "ThreadExistsError",
      });
      expect(await Promise.all([store.rows("from"), store.rows("to")])).toEqual(before);
    });

    test("an expired target is no obstacle, an expired source is none to copy", async () => {
      await put("from", {}, { x: 1 });
      await put("to", {}, { x: 2 });
      const expire = (id: string) =>
        store.sql(
          "UPDATE :schema.checkpoints_threads SET expires_at = now() WHERE thread_id = $1",
          [id],
        );
      await expire("to");
      await copyThread(store.storage, "from", "to");
      const values = (await fresh().getTuple(configOf("to")))?.checkpoint.channel_values;
      expect(values).toEqual({ x: 1 });
      await expire("from");
      expect(await copyThread(store.storage, "from", "third")).toBeUndefined();
      await cleanupExpired(store.storage);
    });

    test("what a copied DeltaChannel is rebuilt from is copied too", async () => {
      const graph = deltaGraph({ checkpointer: store.saver, width: 2 });
      for (const turn of [1, 2]) await graph.invoke({ log: [`input ${turn}`] }, configOf("from"));
      await prune(store.storage, { threads: ["from"], keepLast: 1 });
      await copyThread(store.storage, "from", "to");
      await deleteThreads(store.storage, ["from"]);
      const again = deltaGraph({ checkpointer: fresh(), width: 2 });
      expect((await again.getState(configOf("to"))).values.log).toEqual(deltaLog(2, 2));
    });
  });

  describe("deletion", () => {
    test("deleteThreads counts exactly and passes over what is not there", async () => {
      for (const id of ["a", "b", "c"]) await put(id, {}, { list: [long(id), long("x")] });
      const before = await store.rows();
      const report = await deleteThreads(store.storage, ["a", "nobody", "b", "a"]);
      const after = await store.rows();
      expect(report).toMatchObject({
        threads: 2,
        checkpoints: before.checkpoints - after.checkpoints,
        values: before.values - after.values,
        chunks: before.chunks - after.chunks,
        writes: 0,
      });
      expect(await listThreads(store.storage)).toMatchObject({ threads: [{ threadId: "c" }] });
      await expect(deleteThreads(store.storage, [""])).rejects.toThrow(/thread_id/);
    });

    test("deleteForRuns leaves the other runs of a graph whole", async () => {
      const config = configOf("chat");
      const runs = [randomUUID(), randomUUID(), randomUUID()] as [string, string, string];
      const graph = chatGraph({ checkpointer: store.saver, reply: (m) => long(`a${m.length}`) });
      for (const runId of runs) {
        const metadata = { run_id: runId };
        await graph.invoke({ messages: [long(runId)] }, { ...config, metadata });
      }
      const before = await tuples(fresh(), config);
      const report = await deleteForRuns(store.storage, [runs[0], runs[2]]);
      expect(report).toMatchObject({ threads: 1, checkpoints: 6 });
      const after = await tuples(fresh(), config);
      expect(after).toEqual(before.slice(3, 6));
      expect(texts((await graph.getState(config)).values)).toHaveLength(4);
    });

    test("deleteForRuns keeps out of sight what another run's DeltaChannel is rebuilt from", async () => {
      const config = configOf("delta");
      const runs = [randomUUID(), randomUUID()] as [string, string];
      const graph = deltaGraph({ checkpointer: store.saver, width: 1 });
      for (const [i, runId] of runs.entries()) {
        await graph.invoke({ log: [`input ${i + 1}`] }, { ...config, metadata: { run_id: runId } });
      }
      const before = await tuples(fresh(), config);
      await deleteForRuns(store.storage, [runs[0]]);
      const after = await tuples(fresh(), config);
      expect(after).toEqual(before.slice(0, after.length));
      expect(after.length).toBeLessThan(before.length);
      const again = deltaGraph({ checkpointer: fresh(), width: 1 });
      expect((await again.getState(config)).values.log).toEqual(deltaLog(2, 1));
      await deleteForRuns(store.storage, [runs[1]]);
      expect(await store.rows()).toEqual({ checkpoints: 0, writes: 0, values: 0, chunks: 0 });
      expect(await store.sql("SELECT 1 FROM :schema.checkpoints_threads")).toEqual([]);
    });
  });

  describe("looking at threads", () => {
    const at = (id: string, minutesAgo: number) =>
      store.sql(
        "UPDATE :schema.checkpoints_threads SET updated_at = now() - $2::int * interval '1 minute' WHERE thread_id = $1",
        [id, minutesAgo],
      );
    const ids = (threads: readonly ThreadInfo[]) => threads.map(({ threadId }) => threadId);

    test("a thread's counts are those of its rows", async () => {
      const graph = chatGraph({ checkpointer: store.saver, reply: (m) => long(`a${m.length}`) });
      await graph.invoke({ messages: ["q"] }, { ...configOf("t"), metadata: { user: "u\0" } });
      await put("t", { user: "u1" }, {}).catch(() => {});
      const rows = await store.rows("t");
      const info = await getThread(store.storage, "t");
      expect(info).toMatchObject({
        threadId: "t",
        checkpoints: rows.checkpoints,
        writes: rows.writes,
        namespaces: 1,
        expiresAt: null,
        newest: { namespace: "", metadata: { user: "u1" } },
      });
      expect(Math.abs(Date.now() - (info as ThreadInfo).updatedAt.getTime())).toBeLessThan(60_000);
      const freed = await prune(store.storage, {
        threads: ["t"],
        strategy: "delete",
        dryRun: true,
      });
      expect(info?.bytes).toBe(freed.bytes);
      expect(await getThread(store.storage, "nobody")).toBeUndefined();
    });

    test("metadata comes back with what jsonb cannot hold", async () => {
      await put("t", { "k\0": ["v\ud800"], __proto__: null });
      const info = await getThread(store.storage, "t");
      expect(info?.newest.metadata).toMatchObject({ "k\0": ["v\ud800"] });
      const found = await listThreads(store.storage, { metadata: { "k\0": ["v\ud800"] } });
      expect(ids(found.threads)).toEqual(["t"]);
    });

    test("newest activity first, page by page, each thread once", async () => {
      const all = Array.from({ length: 25 }, (_, i) => `t${String(i).padStart(2, "0")}`);
      for (const id of all) await put(id);
      // Several in one minute, several at one instant, over many minutes.
      for (const [i, id] of all.entries()) await at(id, Math.floor(i / 3) * 2);
      await store.sql(
        "UPDATE :schema.checkpoints_threads SET updated_at = updated_at - random() * interval '20 seconds' WHERE thread_id > 't10'",
      );
      const order = await store.sql<{ thread_id: string }>(
        "SELECT thread_id FROM :schema.checkpoints_threads ORDER BY updated_at DESC, thread_id DESC",
      );
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listThreads(store.storage, { limit: 4, ...(cursor ? { cursor } : {}) });
        seen.push(...ids(page.threads));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(seen).toEqual(order.map((row) => row.thread_id));
      // Used again, a thread is at the front again.
      await put("t24");
      expect(ids((await listThreads(store.storage, { limit: 1 })).threads)).toEqual(["t24"]);
    });

    test("updatedAfter, metadata, and a cursor that belongs to them", async () => {
      for (let i = 0; i < 6; i += 1) await put(`t${i}`, { user: i % 2 ? "odd" : "even", n: i });
      for (let i = 0; i < 6; i += 1) await at(`t${i}`, i * 10);
      const after = new Date(Date.now() - 25 * 60_000);
      expect(ids((await listThreads(store.storage, { updatedAfter: after })).threads)).toEqual([
        "t0",
        "t1",
        "t2",
      ]);
      const odd = { metadata: { user: "odd" }, limit: 2 };
      const first = await listThreads(store.storage, odd);
      expect(ids(first.threads)).toEqual(["t1", "t3"]);
      const cursor = first.nextCursor as string;
      const second = await listThreads(store.storage, { ...odd, cursor });
      expect(ids(second.threads)).toEqual(["t5"]);
      expect(second.nextCursor).toBeUndefined();
      for (const wrong of [{ cursor }, { ...odd, cursor: "x" }, { ...odd, cursor: "W10" }]) {
        await expect(listThreads(store.storage, wrong)).rejects.toMatchObject({
          code: "INVALID_OPTION",
          message: expect.stringContaining("cursor"),
        });
      }
    });

    test("what cannot be seen is not shown", async () => {
      for (const id of ["gone", "empty", "there"]) await put(id);
      await store.sql(
        "UPDATE :schema.checkpoints_threads SET expires_at = now() WHERE thread_id = 'gone'",
      );
      await store.sql(
        "UPDATE :schema.checkpoints SET expires_at = now() WHERE thread_id = 'empty'",
      );
      expect(ids((await listThreads(store.storage)).threads)).toEqual(["there"]);
      for (const id of ["gone", "empty"])
        expect(await getThread(store.storage, id)).toBeUndefined();
    });
  });

  test("stats: counts, sizes, deduplication, and what to do", async () => {
    let list: string[] = [];
    let at = configOf("t");
    for (let i = 1; i <= 30; i += 1) {
      list = [...list, long(`${i}`)];
      at = await putAll(store.saver, at, checkpointOf({ list }, { list: i }));
    }
    await put("old");
    await store.sql("UPDATE :schema.checkpoints SET expires_at = now() WHERE thread_id = 'old'");
    await store.sql(
      "INSERT INTO :schema.checkpoints_adoptions (thread_id, checkpoints, writes, newest) VALUES ('t', 1, 0, '')",
    );
    const found = await stats(store.storage);
    const rows = { ...(await store.rows()), threads: 2, adoptions: 1 };
    for (const table of found.tables) {
      expect(table).toMatchObject({ rows: rows[table.table], exact: true });
      expect(table.bytes).toBe(table.tableBytes + table.indexBytes);
      expect(table.indexes.length).toBeGreaterThan(0);
      expect(table.indexes.every(({ valid }) => valid)).toBe(true);
    }
    expect(found.tables.map(({ table }) => table)).toEqual([
      "threads",
      "checkpoints",
      "values",
      "chunks",
      "writes",
      "adoptions",
    ]);
    expect(found.bytes).toBe(found.tables.reduce((sum, { bytes }) => sum + bytes, 0));
    // 30 versions of a list: 1 + 2 + … + 30 elements stored whole, 30 stored once.
    const { logicalBytes, storedBytes, savedBytes, sampledThreads } = found.deduplication;
    expect(sampledThreads).toBe(2);
    expect(logicalBytes / storedBytes).toBeGreaterThan(8);
    expect(logicalBytes / storedBytes).toBeLessThan(16);
    expect(savedBytes).toBeGreaterThan(storedBytes);
    expect(found.largestThreads[0]).toEqual({
      threadId: "t",
      bytes: (await getThread(store.storage, "t"))?.bytes,
    });
    expect(found.expired).toEqual({ threads: 0, checkpoints: 1 });
    expect(found.suggestions[0]?.message).toMatch(/1 checkpoints have expired.*cleanupExpired/);
    // Tables that are older than the last of them.
    await migrateTo(store.storage.bare, store.storage.names, 6, { allowDataLoss: true });
    expect((await stats(store.storage)).tables.map(({ table }) => table)).not.toContain(
      "adoptions",
    );
    await store.storage.setup();
  });
});
