/** Threads of a MemorySaver, or of any other checkpointer, come over whole and go on here. */
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { copyFrom } from "../../src/transfer/copy-from.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { picture } from "../langgraph/picture.ts";
import { type OpenStore, openStore } from "../retention/store.ts";
import { backends } from "../support/backends.ts";
import { configOf, KINDS, kindOf, makeThreads } from "./official-threads.ts";

// One server is enough: nothing here is the database's.
describe.each(backends.slice(0, 1))("$name", (backend) => {
  let store: OpenStore;
  beforeAll(async () => {
    store = await openStore(backend);
  });
  afterAll(() => store.close());

  test("every kind of thread reads as there, and goes on as it would have there", async () => {
    const memory = new MemorySaver();
    const ids = await makeThreads(memory, KINDS.length);
    const seen: number[] = [];
    const report = await copyFrom(store.storage, memory, [...ids, "unknown"], {
      parallel: 2,
      onProgress: ({ done }) => seen.push(done),
    });
    expect(report.threads).toBe(ids.length);
    expect(seen.at(-1)).toBe(ids.length + 1);
    const rows = await store.rows();
    // Again: nothing more comes of it.
    expect(await copyFrom(store.storage, memory, ids)).toEqual(report);
    expect(await store.rows()).toEqual(rows);
    const here = new PostgresSaver(store.another());
    for (const [i, id] of ids.entries()) {
      const graph = stepsGraph({ checkpointer: new MemorySaver() });
      if (kindOf(i).name !== "fork") {
        expect(await picture(graph, here, id), id).toStrictEqual(await picture(graph, memory, id));
      }
      const there = await kindOf(i).finish(memory, configOf(id));
      expect(await kindOf(i).finish(here, configOf(id)), id).toEqual(there);
    }
  }, 60_000);

  test("two branches that share versions there keep their own state here", async () => {
    const memory = new MemorySaver();
    const graph = stepsGraph({ checkpointer: memory });
    const config = configOf("branches");
    await graph.invoke({ topic: "tea" }, config);
    for await (const { next, config: old } of graph.getStateHistory(config)) {
      if (!next.includes("one")) continue;
      await graph.invoke(null, await graph.updateState(old, { topic: "ink" }));
      break;
    }
    await copyFrom(store.storage, memory, ["branches"]);
    const here = stepsGraph({ checkpointer: new PostgresSaver(store.another()) });
    const logs = async (one: typeof graph): Promise<unknown[]> => {
      const found = [];
      for await (const { values, config, next } of one.getStateHistory(configOf("branches"))) {
        found.push({ id: config.configurable?.checkpoint_id, values, next });
      }
      return found.sort((a, b) => (a.id < b.id ? -1 : 1));
    };
    const there = await logs(graph);
    expect(await logs(here)).toEqual(there);
    expect(there.filter((one) => JSON.stringify(one).includes("three(tea)"))).toHaveLength(1);
    expect(there.filter((one) => JSON.stringify(one).includes("three(ink)"))).toHaveLength(1);

    // Neither branch runs a node twice, and none is skipped, when it goes on from its middle.
    for await (const { next, config: old } of here.getStateHistory(configOf("branches"))) {
      if (!next.includes("three")) continue;
      const ran: string[] = [];
      const again = stepsGraph({
        checkpointer: store.saver,
        record: (node) => void ran.push(node),
      });
      await again.invoke(null, old);
      expect(ran).toEqual(["three"]);
    }
  });

  test("an order of writes that the tasks' ids do not give", async () => {
    const memory = new MemorySaver();
    const config = await memory.put(
      { configurable: { thread_id: "paths", checkpoint_ns: "" } },
      {
        v: 4,
        id: "1efc0000-0000-6000-8000-000000000001",
        ts: "",
        channel_values: {},
        channel_versions: {},
        versions_seen: {},
      },
      { source: "input", step: -1, parents: {} },
    );
    for (const [task, path] of [
      ["a", "~2"],
      ["b", "~1"],
      ["c", ""],
    ] as const) {
      await memory.putWrites(
        config,
        [
          ["log", task],
          ["log", `${task} again`],
          ["__error__", task],
        ],
        task,
        path,
      );
    }
    await copyFrom(store.storage, memory, ["paths"]);
    const [there, here] = [await memory.getTuple(config), await store.saver.getTuple(config)];
    expect(here?.pendingWrites).toEqual(there?.pendingWrites);
    expect(here?.pendingWrites?.map(([task]) => task)).toEqual([
      "c",
      "c",
      "c",
      "b",
      "b",
      "b",
      "a",
      "a",
      "a",
    ]);
  });

  test("DeltaChannels, with and without snapshots", async () => {
    for (const snapshotFrequency of [3, 100]) {
      const memory = new MemorySaver();
      const there = deltaGraph({ checkpointer: memory, snapshotFrequency });
      const config = configOf(`delta ${snapshotFrequency}`);
      for (const turn of [1, 2, 3]) await there.invoke({ log: [`input ${turn}`] }, config);
      await copyFrom(store.storage, memory, [`delta ${snapshotFrequency}`]);
      const checkpointer = new PostgresSaver(store.another());
      const here = deltaGraph({ checkpointer, snapshotFrequency });
      expect((await here.getState(config)).values.log).toEqual(deltaLog(3));
      expect((await here.invoke({ log: ["input 4"] }, config)).log).toEqual(deltaLog(4));
    }
  });

  test("bad input", async () => {
    const memory = new MemorySaver();
    await expect(copyFrom(store.storage, memory, [""])).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    await expect(copyFrom(store.storage, memory, "42" as never)).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    await expect(
      copyFrom(store.storage, memory, ["42"], { limit: 1 } as never),
    ).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await copyFrom(store.storage, memory, [])).toEqual({ threads: 0, checkpoints: 0 });
  });
});
