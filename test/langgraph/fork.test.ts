/** Fork, time travel, and edits of state: the histories that come of them. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { StateSnapshot } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { chatGraph, texts } from "./graphs/chat.ts";
import type { TestGraph } from "./graphs/graph.ts";
import { stepsGraph } from "./graphs/steps.ts";
import { sameAsMemory } from "./same-as-memory.ts";

async function snapshots(graph: TestGraph, config: RunnableConfig): Promise<StateSnapshot[]> {
  const found: StateSnapshot[] = [];
  for await (const snapshot of graph.getStateHistory(config)) found.push(snapshot);
  return found;
}

/** The latest snapshot whose next node is `node`. */
async function snapshotBefore(
  graph: TestGraph,
  config: RunnableConfig,
  node: string,
): Promise<StateSnapshot> {
  const found = (await snapshots(graph, config)).find(({ next }) => next.includes(node));
  if (!found) throw new Error(`no checkpoint before ${node}`);
  return found;
}

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("a run, and its history", async () => {
    const { graph, config, result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      return { graph, result: await graph.invoke({ topic: "tea" }, stage.config) };
    });
    expect(result.log).toEqual(["one(tea)", "two(tea)", "three(tea)"]);
    const history = await snapshots(graph, config);
    expect(history.map(({ next }) => next[0])).toEqual([
      undefined,
      "three",
      "two",
      "one",
      "__start__",
    ]);
  });

  test("time travel: an old checkpoint runs on as a branch of its own", async () => {
    const { graph, config, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({ topic: "tea" }, stage.config);
      const old = await snapshotBefore(graph, stage.config, "two");
      await graph.invoke(null, old.config);
      return { graph, result: undefined };
    });
    expect(ran).toEqual(["one", "two", "three", "two", "three"]);
    expect((await graph.getState(config)).values.log).toEqual([
      "one(tea)",
      "two(tea)",
      "three(tea)",
    ]);
  });

  test("fork by updateState: both branches stay whole and apart", async () => {
    const { graph, result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({ topic: "tea" }, stage.config);
      const trunk = (await graph.getState(stage.config)).config;
      const old = await snapshotBefore(graph, stage.config, "two");
      const forks: RunnableConfig[] = [];
      for (const topic of ["coffee", "water"]) {
        const fork = await graph.updateState(old.config, { topic });
        await graph.invoke(null, fork);
        forks.push((await graph.getState(stage.config)).config);
      }
      return { graph, result: { trunk, forks } };
    });
    const log = async (config?: RunnableConfig) =>
      config && (await graph.getState(config)).values.log;
    expect(await log(result.trunk)).toEqual(["one(tea)", "two(tea)", "three(tea)"]);
    expect(await log(result.forks[0])).toEqual(["one(tea)", "two(coffee)", "three(coffee)"]);
    expect(await log(result.forks[1])).toEqual(["one(tea)", "two(water)", "three(water)"]);
  });

  test("updateState on the latest checkpoint, as a node and without one", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({ topic: "tea" }, { ...stage.config, interruptAfter: ["one"] });
      await graph.updateState(stage.config, { log: ["edited"] });
      await graph.updateState(stage.config, { log: ["as two"] }, "two");
      await graph.invoke(null, stage.config);
      return { graph, result: undefined };
    });
    expect((await graph.getState(config)).values.log).toEqual([
      "one(tea)",
      "edited",
      "as two",
      "three(tea)",
    ]);
  });

  test("updateState on a thread that does not exist yet", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.updateState(stage.config, { topic: "air", log: ["made by hand"] }, "one");
      await graph.invoke(null, stage.config);
      return { graph, result: undefined };
    });
    expect((await graph.getState(config)).values.log).toEqual([
      "made by hand",
      "two(air)",
      "three(air)",
    ]);
  });

  test("bulkUpdateState: input, nodes, end and an empty checkpoint", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.bulkUpdateState(stage.config, [
        { updates: [{ values: { topic: "rain" }, asNode: "__input__" }] },
        { updates: [{ values: { log: ["x"] }, asNode: "one" }] },
        {
          updates: [
            { values: { log: ["y"] }, asNode: "two" },
            { values: { log: ["z"] }, asNode: "one" },
          ],
        },
        { updates: [{ values: null, asNode: "__end__" }] },
        { updates: [{ values: null }] },
      ]);
      return { graph, result: undefined };
    });
    const state = await graph.getState(config);
    expect(state.values.log).toEqual(["x", "y", "z"]);
    expect(state.next).toEqual([]);
  });

  test("a chat goes on for several turns, and forks at an earlier one", async () => {
    const { graph, config, result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = chatGraph({ checkpointer: stage.saver, record: stage.record });
      for (const text of ["a", "b", "c"]) await graph.invoke({ messages: [text] }, stage.config);
      const trunk = (await graph.getState(stage.config)).config;
      const old = (await snapshots(graph, stage.config)).find(
        ({ values, next }) => values.turns === 1 && next.length === 0,
      );
      await graph.invoke({ messages: ["b2"] }, old?.config ?? {});
      return { graph, result: { trunk } };
    });
    expect(texts((await graph.getState(result.trunk)).values)).toEqual([
      ...["a", "answer 1", "b", "answer 3", "c", "answer 5"],
    ]);
    expect(texts((await graph.getState(config)).values)).toEqual([
      "a",
      "answer 1",
      "b2",
      "answer 3",
    ]);
  });
});
