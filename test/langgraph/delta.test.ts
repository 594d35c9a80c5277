/** `DeltaChannel`: state that is rebuilt from pending writes, so their order and their place count. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { deltaGraph, deltaLog } from "./graphs/delta.ts";
import type { Durability } from "./graphs/graph.ts";
import { sameAsMemory } from "./same-as-memory.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  for (const durability of ["sync", "async", "exit"] satisfies Durability[]) {
    for (const snapshotFrequency of [2, 100]) {
      test(`three turns, ${durability}, a snapshot every ${snapshotFrequency} writes`, async () => {
        const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
          const graph = deltaGraph({ checkpointer: stage.saver, snapshotFrequency });
          for (const turn of [1, 2, 3]) {
            await graph.invoke({ log: [`input ${turn}`] }, { ...stage.config, durability });
          }
          return { graph, result: undefined };
        });
        const again = deltaGraph({ checkpointer: open.fresh(), snapshotFrequency });
        expect((await again.getState(config)).values.log).toEqual(deltaLog(3));
        expect((await graph.getState(config)).values.log).toEqual(deltaLog(3));
      });
    }
  }

  test("case 7: six parallel tasks read back as they ran, 20 of 20", async () => {
    const graph = deltaGraph({ checkpointer: open.saver });
    for (let run = 0; run < 20; run += 1) {
      const config = { configurable: { thread_id: `${backend.name} case 7 ${run}` } };
      const ran = await graph.invoke({ log: ["input 1"] }, config);
      expect(ran.log).toEqual(deltaLog(1));
      const again = deltaGraph({ checkpointer: open.fresh() });
      expect((await again.getState(config)).values.log).toEqual(ran.log);
    }
  });

  test("case 2: two updateState calls on one parent do not merge", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = deltaGraph({ checkpointer: stage.saver, width: 1 });
      await graph.invoke({ log: ["input 1"] }, stage.config);
      const parent = (await graph.getState(stage.config)).config;
      const left = await graph.updateState(parent, { log: ["left"] }, "finish");
      const right = await graph.updateState(parent, { log: ["right"] }, "finish");
      return { graph, result: { left, right } };
    });
    const graph = deltaGraph({ checkpointer: open.fresh(), width: 1 });
    const log = deltaLog(1, 1);
    expect((await graph.getState(result.left)).values.log).toEqual([...log, "left"]);
    expect((await graph.getState(result.right)).values.log).toEqual([...log, "right"]);
  });

  test("a fork in the middle of a turn, and what goes on from it", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = deltaGraph({ checkpointer: stage.saver, width: 3 });
      await graph.invoke({ log: ["input 1"] }, stage.config);
      await graph.invoke({ log: ["input 2"] }, stage.config);
      for await (const { config, next, values } of graph.getStateHistory(stage.config)) {
        if (!next.includes("finish") || values.turn !== 1) continue;
        await graph.invoke(null, await graph.updateState(config, { log: ["edit"] }, "work"));
        break;
      }
      await graph.invoke({ log: ["input after"] }, stage.config);
      return { graph, result: undefined };
    });
    const log: string[] = (await graph.getState(config)).values.log;
    const trunk = deltaLog(1, 3);
    expect(log.slice(0, 10)).toEqual([...trunk.slice(0, -1), "edit", "finish 9"]);
    expect(log[10]).toBe("input after");
  });
});
