/** Cases that broke other savers, each as a graph meets it. Their numbers are those of the project's list. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { StateSnapshot } from "@langchain/langgraph";
import { type CheckpointTuple, MemorySaver } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { chatGraph, texts } from "./graphs/chat.ts";
import type { TestGraph } from "./graphs/graph.ts";
import { relayGraph, stepsGraph } from "./graphs/steps.ts";

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** A step of a chat's history: the latest snapshot with that many finished turns. */
async function afterTurn(
  graph: TestGraph,
  config: RunnableConfig,
  turn: number,
): Promise<StateSnapshot> {
  const history = await collect(graph.getStateHistory(config));
  const found = history.find(({ values, next }) => values.turns === turn && next.length === 0);
  if (!found) throw new Error(`no checkpoint after turn ${turn}`);
  return found;
}

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());
  afterEach(() => {
    vi.useRealTimers();
  });

  test("case 1: two branches from one checkpoint, read back by a fresh saver", async () => {
    const config = { configurable: { thread_id: "case 1" } };
    const long = (text: string) => `${text} ${"and so on ".repeat(60)}`;
    const graph = chatGraph({ checkpointer: open.saver });
    await graph.invoke({ messages: [long("root")] }, config);
    const root = (await graph.getState(config)).config;
    const branches: RunnableConfig[] = [];
    for (const name of ["left", "right"]) {
      await graph.invoke({ messages: [long(name)] }, root);
      branches.push((await graph.getState(config)).config);
    }
    const fresh = chatGraph({ checkpointer: open.fresh() });
    for (const [i, name] of ["left", "right"].entries()) {
      const { values } = await fresh.getState(branches[i] ?? {});
      expect(texts(values)).toEqual([long("root"), "answer 1", long(name), "answer 3"]);
    }
    // And they go on apart: each branch's next turn builds on its own messages.
    await fresh.invoke({ messages: ["more"] }, branches[0] ?? {});
    expect(texts((await graph.getState(config)).values)[2]).toBe(long("left"));
  });

  test("case 3: a machine whose clock runs behind continues a thread", async () => {
    const config = { configurable: { thread_id: "case 3" } };
    const graph = chatGraph({ checkpointer: open.saver });
    await graph.invoke({ messages: ["a"] }, config);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
    const late = chatGraph({ checkpointer: open.fresh() });
    await late.invoke({ messages: ["b"] }, config);
    await late.invoke({ messages: ["c"] }, config);
    vi.useRealTimers();
    const said = ["a", "answer 1", "b", "answer 3", "c", "answer 5"];
    expect(texts((await graph.getState(config)).values)).toEqual(said);
    const history = await collect(graph.getStateHistory(config));
    expect(history.map(({ metadata }) => metadata?.step)).toEqual([7, 6, 5, 4, 3, 2, 1, 0, -1]);
    const older = await collect(
      graph.getStateHistory(config, { before: history[2]?.config ?? {} }),
    );
    expect(older.map(({ metadata }) => metadata?.step)).toEqual([4, 3, 2, 1, 0, -1]);
  });

  test("case 4: running on from an older checkpoint does not overwrite it", async () => {
    const config = { configurable: { thread_id: "case 4" } };
    const graph = stepsGraph({ checkpointer: open.saver });
    await graph.invoke({ topic: "tea" }, config);
    const held = new Map<string, CheckpointTuple>();
    for await (const tuple of open.saver.list(config)) held.set(tuple.checkpoint.id, tuple);
    const [old] = (await collect(graph.getStateHistory(config))).filter(({ next }) =>
      next.includes("two"),
    );
    await graph.invoke(null, old?.config ?? {});
    await graph.updateState(old?.config ?? {}, { topic: "coffee" });
    const after = await collect(open.fresh().list(config));
    expect(after.length).toBeGreaterThan(held.size);
    const kept = after.filter(({ checkpoint }) => held.has(checkpoint.id));
    expect(kept).toHaveLength(held.size);
    for (const tuple of kept) {
      // The fork's updates are its own; what an old checkpoint held, its writes too, is as it was.
      expect(tuple).toEqual(held.get(tuple.checkpoint.id));
    }
  });

  test("case 5: a thread with integer versions goes on for 200 supersteps", async () => {
    const config = { configurable: { thread_id: "case 5" } };
    const origin = new MemorySaver();
    await relayGraph({ checkpointer: origin }).invoke({ goal: 7 }, config);
    for (const tuple of (await collect(origin.list(config))).reverse()) {
      const { checkpoint, metadata, parentConfig, pendingWrites = [] } = tuple;
      const parent = parentConfig ?? {
        configurable: { ...config.configurable, checkpoint_ns: "" },
      };
      if (!metadata) throw new Error("every checkpoint has metadata");
      const put = await open.saver.put(parent, checkpoint, metadata, checkpoint.channel_versions);
      for (const [task, channel, value] of pendingWrites) {
        await open.saver.putWrites(put, [[channel, value]], task);
      }
    }
    const ran: string[] = [];
    const graph = relayGraph({ checkpointer: open.fresh(), record: (node) => void ran.push(node) });
    const result = await graph.invoke({ goal: 207 }, { ...config, recursionLimit: 250 });
    expect(result.laps).toBe(207);
    expect(ran).toEqual(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? "ping" : "pong")));
    const versions = Object.values((await open.saver.get(config))?.channel_versions ?? {});
    expect(versions.every((version) => typeof version === "number")).toBe(true);
  });

  test("case 8: a copied checkpoint keeps every channel", async () => {
    const config = { configurable: { thread_id: "case 8" } };
    const graph = chatGraph({ checkpointer: open.saver });
    const question = "a question worth copying ".repeat(50);
    for (const text of [question, "b", "c"]) await graph.invoke({ messages: [text] }, config);
    const second = await afterTurn(graph, config, 2);
    const copy = await graph.bulkUpdateState(second.config, [
      { updates: [{ asNode: "__copy__" }] },
    ]);
    const fresh = chatGraph({ checkpointer: open.fresh() });
    const state = await fresh.getState(copy);
    expect(state.values).toEqual(second.values);
    expect(state.metadata?.source).toBe("fork");
    expect(state.parentConfig).toEqual(second.parentConfig);
    const result = await fresh.invoke({ messages: ["d"] }, copy);
    expect(texts(result)).toEqual([question, "answer 1", "b", "answer 3", "d", "answer 5"]);
  });

  test("case 14: JSON.stringify of a config that holds the saver", async () => {
    const config = { configurable: { thread_id: "case 14", checkpointer: open.saver } };
    const text = JSON.stringify(config);
    expect(JSON.parse(text).configurable).toEqual({
      thread_id: "case 14",
      checkpointer: "[PostgresSaver]",
    });
  });
});
