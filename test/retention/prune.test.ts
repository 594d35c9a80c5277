/** `prune`: what goes, what stays, and that what stays is whole. */
import { HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { prune } from "../../src/retention/prune.ts";
import type { PruneOptions, PruneProgress } from "../../src/retention/prune-options.ts";
import {
  checkpointOf,
  idsOf,
  METADATA,
  putAll,
  threadConfig,
  threadOf,
  tuples,
} from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { inheritingGraph } from "../langgraph/graphs/subgraphs.ts";
import { expectTidy, newest, type OpenStore, openStore, type Rows } from "./store.ts";

const long = (name: string) => `${name} ${"words ".repeat(400)}`;

describe.each(newest)("$name", (backend) => {
  let store: OpenStore;
  beforeAll(async () => {
    store = await openStore(backend);
  });
  afterEach(() => expectTidy(store));
  afterAll(() => store.close());

  const keep = (config: RunnableConfig, keepLast: number, more: Partial<PruneOptions> = {}) =>
    prune(store.storage, { threads: [threadOf(config)], keepLast, ...more });
  const fresh = () => new PostgresSaver(store.fresh());
  const listed = (config: RunnableConfig) => tuples(fresh(), config);

  async function chat(config: RunnableConfig, turns: number): Promise<void> {
    const graph = chatGraph({ checkpointer: store.saver, reply: (m) => long(`a${m.length}`) });
    for (let turn = 1; turn <= turns; turn += 1) {
      await graph.invoke({ messages: [new HumanMessage(long(`q${turn}`))] }, config);
    }
  }

  const difference = (before: Rows, after: Rows): Rows => ({
    checkpoints: before.checkpoints - after.checkpoints,
    writes: before.writes - after.writes,
    values: before.values - after.values,
    chunks: before.chunks - after.chunks,
  });

  test("a chat keeps its last checkpoints, tells what went, and goes on", async () => {
    const config = threadConfig("chat");
    await chat(config, 8);
    const all = await listed(config);
    const before = await store.rows(threadOf(config));
    const dry = await keep(config, 3, { dryRun: true });
    expect(await store.rows(threadOf(config))).toEqual(before);

    const report = await keep(config, 3);
    const after = await store.rows(threadOf(config));
    expect(report).toMatchObject({ ...difference(before, after), threads: 1, examined: 1 });
    expect(report.bytes).toBeGreaterThan(10_000);
    expect({ ...report, dryRun: true }).toEqual(dry);
    expect(after.checkpoints).toBe(3);
    expect(await listed(config)).toEqual(all.slice(0, 3));

    // Nothing is left to do, and nothing is done.
    expect(await keep(config, 3)).toMatchObject({ threads: 0, checkpoints: 0, bytes: 0 });
    const result = await chatGraph({ checkpointer: fresh() }).invoke(
      { messages: ["more"] },
      config,
    );
    expect(texts(result).slice(14)).toEqual([long("q8"), long("a15"), "more", "answer 17"]);
  });

  test("case 31: a chunk that a kept and a removed checkpoint share stays", async () => {
    const config = threadConfig("case 31");
    const list = [long("shared"), long("of the first")];
    const first = await putAll(store.saver, config, checkpointOf({ list }, { list: 1 }));
    const values = { list: [long("shared"), long("of the second")] };
    await putAll(store.saver, first, checkpointOf(values, { list: 2 }));
    expect((await keep(config, 1)).chunks).toBeGreaterThan(0);
    expect((await fresh().getTuple(config))?.checkpoint.channel_values).toEqual(values);
  });

  test("case 31: a chunk that only a kept pending write refers to stays", async () => {
    const config = threadConfig("case 31");
    const list = [long("a"), long("b")];
    const first = await putAll(store.saver, config, checkpointOf({ list }, { list: 1 }));
    const second = await putAll(store.saver, first, checkpointOf({ list: [] }, { list: 2 }));
    await store.saver.putWrites(second, [["list", list]], "task");
    await store.saver.putWrites(first, [["list", [...list, long("c")]]], "task");
    expect(await keep(config, 1)).toMatchObject({ writes: 1 });
    expect((await fresh().getTuple(config))?.pendingWrites).toEqual([["task", "list", list]]);
  });

  test("case 32: every namespace keeps its own, and subgraphs go on", async () => {
    const config = threadConfig("case 32");
    const graph = inheritingGraph({ checkpointer: store.saver }, false);
    for (let i = 0; i < 3; i += 1) await graph.invoke({ log: [] }, config);
    const before = new Map<string, string[]>();
    for (const { config: one, checkpoint } of await tuples(store.saver, namespaces(config))) {
      const namespace: string = one.configurable?.checkpoint_ns;
      before.set(namespace, [...(before.get(namespace) ?? []), checkpoint.id]);
    }
    expect(before.size).toBe(4);
    await keep(config, 2);
    for (const [namespace, ids] of before) {
      const left = await listed(namespaces(config, namespace));
      expect(idsOf(left)).toEqual(ids.slice(0, 2));
    }
    await inheritingGraph({ checkpointer: fresh() }, false).invoke({ log: [] }, config);
  });

  test("subgraphRuns: runs of subgraphs go with the checkpoints that ran them", async () => {
    const config = threadConfig("runs");
    const graph = inheritingGraph({ checkpointer: store.saver });
    // The child waits each time: its run is needed until it was told.
    for (let i = 0; i < 3; i += 1) await graph.invoke({ log: [] }, config);
    const spaces = async () =>
      new Set(
        (await listed(namespaces(config))).map((one) => one.config.configurable?.checkpoint_ns),
      );
    expect((await spaces()).size).toBe(4);
    await keep(config, 1, { subgraphRuns: "remove" });
    const left = await spaces();
    expect(left.size).toBe(2);
    expect(left.has("")).toBe(true);
    const waiting = (await inheritingGraph({ checkpointer: fresh() }).getState(config)).tasks;
    expect(waiting[0]?.interrupts).toHaveLength(1);
  });

  describe("case 32: a DeltaChannel", () => {
    test.each([2, 5, 100])("with a snapshot every %i writes keeps its ancestors", async (every) => {
      const config = threadConfig("delta");
      const graph = deltaGraph({ checkpointer: store.saver, snapshotFrequency: every, width: 2 });
      for (const turn of [1, 2, 3, 4]) await graph.invoke({ log: [`input ${turn}`] }, config);
      const all = await listed(config);
      for (const limit of [7, 2, 1]) {
        await keep(config, limit);
        const left = await listed(config);
        expect(idsOf(left).slice(0, limit)).toEqual(idsOf(all).slice(0, limit));
        if (every === 2) expect(left.length).toBeLessThan(limit + 4);
        const again = deltaGraph({ checkpointer: fresh(), snapshotFrequency: every, width: 2 });
        expect((await again.getState(config)).values.log).toEqual(deltaLog(4, 2));
        // Every checkpoint that is still to be seen is what it was.
        for await (const { config: one, values } of graph.getStateHistory(config)) {
          expect((await again.getState(one)).values).toEqual(values);
        }
      }
      await deltaGraph({ checkpointer: fresh(), snapshotFrequency: every, width: 2 }).invoke(
        { log: ["input 5"] },
        config,
      );
      expect((await graph.getState(config)).values.log).toEqual(deltaLog(5, 2));
    });

    test("in a fork keeps the ancestors of both branches", async () => {
      const config = threadConfig("delta fork");
      const graph = deltaGraph({ checkpointer: store.saver, width: 1 });
      await graph.invoke({ log: ["input 1"] }, config);
      const parent = (await graph.getState(config)).config;
      await graph.invoke({ log: ["input 2"] }, config);
      const left = await graph.updateState(parent, { log: ["left"] }, "finish");
      const right = await graph.updateState(parent, { log: ["right"] }, "finish");
      const before = await Promise.all([left, right].map((one) => graph.getState(one)));
      await keep(config, 2);
      const again = deltaGraph({ checkpointer: fresh(), width: 1 });
      const after = await Promise.all([left, right].map((one) => again.getState(one)));
      expect(after.map(({ values }) => values)).toEqual(before.map(({ values }) => values));
    });

    test("that has no snapshot and no counters yet is told by its writes", async () => {
      // As a saver of another make, or an import, may have left it.
      const config = threadConfig("delta by hand");
      let at = config;
      for (let step = 1; step <= 5; step += 1) {
        const extra = { channel_versions: { log: step } };
        at = await putAll(store.saver, at, checkpointOf({}, {}, extra));
        await store.saver.putWrites(at, [["log", `step ${step}`]], `task ${step}`);
      }
      await keep(config, 1);
      const history = await fresh().getDeltaChannelHistory({ config, channels: ["log"] });
      expect(history.log?.writes.map(([, , value]) => value)).toEqual(
        [1, 2, 3, 4].map((step) => `step ${step}`),
      );
    });

    test("whose ancestors are rebuilt themselves hides those that can no longer be", async () => {
      const config = threadConfig("two deltas");
      const puts: RunnableConfig[] = [];
      let at = config;
      // `near` has a snapshot at 4, `far` at 1; `near` before 4 goes back to a snapshot at 0.
      const { DeltaSnapshot } = await import("@langchain/langgraph-checkpoint");
      for (let step = 0; step <= 6; step += 1) {
        const values: Record<string, unknown> = {};
        if (step === 0 || step === 4) values.near = new DeltaSnapshot([`near ${step}`]);
        if (step === 1) values.far = new DeltaSnapshot([`far ${step}`]);
        const counters = Object.fromEntries(
          ["near", "far"].filter((name) => !(name in values)).map((name) => [name, [1, 1]]),
        );
        const metadata = { ...METADATA, step, counters_since_delta_snapshot: counters };
        const extra = { channel_versions: { near: step + 1, far: step + 1 } };
        at = await putAll(
          store.saver,
          at,
          checkpointOf(values, {}, extra),
          metadata as CheckpointMetadata,
        );
        await store.saver.putWrites(
          at,
          [
            ["near", `n${step}`],
            ["far", `f${step}`],
          ],
          "task",
        );
        puts.push(at);
      }
      // As LangGraph does: only channels that the checkpoint has no value of.
      const history = async (config: RunnableConfig) => {
        const values = (await fresh().getTuple(config))?.checkpoint.channel_values ?? {};
        const channels = ["near", "far"].filter((name) => !(name in values));
        return fresh().getDeltaChannelHistory({ config, channels });
      };
      const before = await Promise.all(puts.map(history));
      await keep(config, 1);
      // 1, 2 and 3 are needed for `far`, but their `near` needed 0: they are links only.
      const left = idsOf(await listed(config));
      expect(left).toEqual([6, 5, 4].map((i) => puts[i]?.configurable?.checkpoint_id));
      expect((await store.rows(threadOf(config))).checkpoints).toBe(6);
      for (const i of [6, 5, 4]) {
        expect(await history(puts[i] as RunnableConfig)).toEqual(before[i]);
      }
      // When the last that needs them is gone, they go too.
      const latest = { far: new DeltaSnapshot(["all"]), near: new DeltaSnapshot(["all"]) };
      await putAll(store.saver, at, checkpointOf(latest, { far: 9, near: 9 }));
      expect(await keep(config, 1)).toMatchObject({ checkpoints: 6 });
      expect((await store.rows(threadOf(config))).checkpoints).toBe(1);
    });
  });

  test("case 32: a checkpoint before format 4 keeps the parent that has its sends", async () => {
    const config = threadConfig("sends");
    let at = config;
    for (let step = 0; step < 4; step += 1) {
      at = await putAll(store.saver, at, checkpointOf({}, {}, { v: 1 }), { ...METADATA, step });
      if (step < 3) await store.saver.putWrites(at, [["__pregel_tasks", `send ${step}`]], "task");
    }
    await keep(config, 1);
    const tuple = await fresh().getTuple(config);
    expect(tuple?.checkpoint.channel_values.__pregel_tasks).toEqual(["send 2"]);
    // The parent is there for its sends; its own are gone, so it is not shown without them.
    expect(await listed(config)).toHaveLength(1);
    expect((await store.rows(threadOf(config))).checkpoints).toBe(2);
  });

  test("sends of a checkpoint of format 4 are no reason to keep its parent", async () => {
    const config = threadConfig("sends");
    let at = config;
    for (let step = 0; step < 3; step += 1) {
      at = await putAll(store.saver, at, checkpointOf({}, {}, { v: 4 }), { ...METADATA, step });
      await store.saver.putWrites(at, [["__pregel_tasks", `send ${step}`]], "task");
    }
    await keep(config, 1);
    expect((await store.rows(threadOf(config))).checkpoints).toBe(1);
  });

  test("case 35: newest is by the order of puts, whatever ids and steps say", async () => {
    const config = threadConfig("case 35");
    const first = await putAll(store.saver, config, checkpointOf({}, {}, { id: "c" }), {
      ...METADATA,
      step: 9,
    });
    await putAll(store.saver, first, checkpointOf({}, {}, { id: "b" }), { ...METADATA, step: 5 });
    await putAll(store.saver, first, checkpointOf({}, {}, { id: "a" }), { ...METADATA, step: 1 });
    await keep(config, 2);
    expect(idsOf(await listed(config))).toEqual(["a", "b"]);
  });

  test("writes that came before their checkpoint stay", async () => {
    const config = threadConfig("early");
    const first = await putAll(store.saver, config, checkpointOf({ x: 1 }));
    const coming = checkpointOf({ x: 2 }, { x: 2 });
    const early = { configurable: { ...config.configurable, checkpoint_id: coming.id } };
    await store.saver.putWrites(early, [["list", [long("a"), long("b")]]], "task");
    await putAll(store.saver, first, checkpointOf({ x: 3 }, { x: 3 }));
    await keep(config, 1);
    await putAll(store.saver, first, coming);
    expect((await fresh().getTuple(early))?.pendingWrites).toHaveLength(1);
  });

  test("olderThan and all choose threads; progress tells of each", async () => {
    const own = await openStore(backend);
    try {
      const names = ["old 1", "old 2", "new"].map((name) => threadConfig(name));
      for (const config of names) {
        const first = await putAll(own.saver, config, checkpointOf({ x: 1 }));
        await putAll(own.saver, first, checkpointOf({ x: 2 }, { x: 2 }));
      }
      await own.sql(
        "UPDATE :schema.checkpoints_threads SET updated_at = now() - interval '2 days' WHERE thread_id LIKE 'old%'",
      );
      const seen: PruneProgress[] = [];
      const older = await prune(own.storage, {
        olderThan: "1d",
        keepLast: 1,
        onProgress: (progress) => seen.push(progress),
      });
      expect(older).toMatchObject({ examined: 2, threads: 2, checkpoints: 2 });
      expect(seen.map(({ total, examined }) => [examined, total])).toEqual([
        [1, 2],
        [2, 2],
      ]);
      expect(await prune(own.storage, { all: true, keepLast: 1 })).toMatchObject({
        examined: 3,
        threads: 1,
        checkpoints: 1,
      });
      const before = new Date(Date.now() - 86_400_000);
      expect(await prune(own.storage, { olderThan: before, strategy: "delete" })).toMatchObject({
        threads: 2,
        checkpoints: 2,
      });
      expect((await own.rows()).checkpoints).toBe(1);
    } finally {
      await own.close();
    }
  });

  test("a signal ends it between two threads, and a second call does the rest", async () => {
    const configs = ["a", "b", "c"].map((name) => threadConfig(name));
    for (const config of configs) {
      const first = await putAll(store.saver, config, checkpointOf({ x: 1 }));
      await putAll(store.saver, first, checkpointOf({ x: 2 }, { x: 2 }));
    }
    const threads = configs.map(threadOf);
    const stop = new AbortController();
    const seen: number[] = [];
    const reason = new Error("enough");
    const stopped = prune(store.storage, {
      threads,
      keepLast: 1,
      signal: stop.signal,
      onProgress: ({ examined }) => {
        seen.push(examined);
        if (examined === 2) stop.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    expect(seen).toEqual([1, 2]);
    expect(await prune(store.storage, { threads, keepLast: 1 })).toMatchObject({ checkpoints: 1 });
  });
});

/** The thread, in one namespace or in all. */
function namespaces(config: RunnableConfig, namespace?: string): RunnableConfig {
  const { checkpoint_ns: _, ...rest } = config.configurable ?? {};
  return {
    configurable: namespace === undefined ? rest : { ...rest, checkpoint_ns: namespace },
  };
}
