/** What LangGraph's conformance suite for Python asks of `prune`, clause by clause. */
import { randomUUID } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prune } from "../../src/retention/prune.ts";
import { checkpointOf, configOf, idsOf, METADATA, putAll, tuples } from "../contract/material.ts";
import { backends } from "../support/backends.ts";
import { type OpenStore, openStore } from "./store.ts";

describe.each(backends)("$name", (backend) => {
  let store: OpenStore;
  beforeAll(async () => {
    store = await openStore(backend);
  });
  afterAll(() => store.close());

  /** A chain of `n` checkpoints; their configs, oldest first. */
  async function chain(threadId: string, n: number, namespace = ""): Promise<RunnableConfig[]> {
    const stored: RunnableConfig[] = [];
    let config = configOf(threadId, namespace);
    for (let step = 0; step < n; step += 1) {
      config = await putAll(store.saver, config, checkpointOf({}), { ...METADATA, step });
      stored.push(config);
    }
    return stored;
  }
  const listed = async (config: RunnableConfig) => idsOf(await tuples(store.saver, config));
  const idOf = (config: RunnableConfig | undefined) => config?.configurable?.checkpoint_id;

  test("keep_latest: only the latest checkpoint survives", async () => {
    const threadId = randomUUID();
    const configs = await chain(threadId, 4);
    await prune(store.storage, { threads: [threadId], strategy: "keep_latest" });
    expect(await listed(configOf(threadId))).toEqual([idOf(configs[3])]);
  });

  test("keep_latest: each of several threads keeps its latest", async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const ends = [(await chain(one, 3)).at(-1), (await chain(two, 2)).at(-1)];
    await prune(store.storage, { threads: [one, two], strategy: "keep_latest" });
    expect(await listed(configOf(one))).toEqual([idOf(ends[0])]);
    expect(await listed(configOf(two))).toEqual([idOf(ends[1])]);
  });

  test("keep_latest: the latest of each namespace is kept", async () => {
    const threadId = randomUUID();
    const root = await chain(threadId, 3);
    const child = await chain(threadId, 2, "child:1");
    await prune(store.storage, { threads: [threadId], strategy: "keep_latest" });
    expect(await listed(configOf(threadId, ""))).toEqual([idOf(root[2])]);
    expect(await listed(configOf(threadId, "child:1"))).toEqual([idOf(child[1])]);
  });

  test("keep_latest: the latest checkpoint's writes are kept", async () => {
    const threadId = randomUUID();
    const configs = await chain(threadId, 3);
    await store.saver.putWrites(configs[2] as RunnableConfig, [["ch", "val"]], randomUUID());
    await prune(store.storage, { threads: [threadId], strategy: "keep_latest" });
    const tuple = await store.saver.getTuple(configOf(threadId));
    expect(tuple?.pendingWrites?.map(([, channel, value]) => [channel, value])).toEqual([
      ["ch", "val"],
    ]);
  });

  test("delete: everything goes", async () => {
    const threadId = randomUUID();
    await chain(threadId, 3);
    await prune(store.storage, { threads: [threadId], strategy: "delete" });
    expect(await listed(configOf(threadId))).toEqual([]);
    expect(await store.rows(threadId)).toEqual({ checkpoints: 0, writes: 0, values: 0, chunks: 0 });
  });

  test("threads that are not named are left alone", async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await chain(one, 3);
    await chain(two, 2);
    const before = await listed(configOf(two));
    await prune(store.storage, { threads: [one], strategy: "keep_latest" });
    expect(await listed(configOf(two))).toEqual(before);
  });

  test("an empty list does nothing", async () => {
    const report = await prune(store.storage, { threads: [], strategy: "keep_latest" });
    expect(report).toMatchObject({ examined: 0, threads: 0, checkpoints: 0 });
  });

  test("a thread that is not there is passed over", async () => {
    for (const strategy of ["keep_latest", "delete"] as const) {
      const report = await prune(store.storage, { threads: [randomUUID()], strategy });
      expect(report).toMatchObject({ threads: 0, checkpoints: 0, bytes: 0 });
    }
  });
});
