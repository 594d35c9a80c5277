import { performance } from "node:perf_hooks";
import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  Annotation,
  DeltaChannel,
  END,
  messagesDeltaReducer,
  START,
  StateGraph,
} from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { CHAT_BYTES } from "../graphs/chat.ts";
import { mean } from "../statistics.ts";
import { seeded, text } from "../words.ts";
import { THREAD } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

/**
 * Every 100 updates LangGraph stores a snapshot, and how far back that lies is what a read costs:
 * 50 turns of two updates hold every distance, so the state is read as it was after each of them.
 */
export const delta: Workload = workload({
  name: "delta",
  peers: ["official", "memory", "references"],
  metrics: [
    { key: "read", title: "getState", unit: "ms", better: "less", targets: { official: 20 } },
  ],
  sizes: { full: { turns: 500, reads: 50 }, quick: { turns: 20, reads: 10 } },
  describe: ({ turns, reads }) =>
    `getState of a chat in a DeltaChannel, mean over its turns ${turns - reads + 1} to ${turns}`,
  async run({ turns, reads }, context) {
    const thread = await context.once(async () => {
      const { saver } = await context.open();
      return buildThread(saver, turns, reads);
    });
    await thread.read();
    await context.settle();
    const ms: number[] = [];
    for (const config of thread.configs) {
      const start = performance.now();
      await thread.read(config);
      ms.push(performance.now() - start);
    }
    return { metrics: { read: mean(ms) } };
  },
});

interface DeltaThread {
  /** After each of the turns to be read. */
  readonly configs: readonly RunnableConfig[];
  read(config?: RunnableConfig): Promise<unknown>;
}

async function buildThread(
  saver: BaseCheckpointSaver,
  turns: number,
  reads: number,
): Promise<DeltaThread> {
  const random = seeded(turns);
  const State = Annotation.Root({
    messages: () =>
      new DeltaChannel<BaseMessage[], BaseMessage[]>(messagesDeltaReducer, {
        initialValueFactory: () => [],
      }),
  });
  const graph = new StateGraph(State)
    .addNode("model", () => ({ messages: [new AIMessage(text(CHAT_BYTES.ai, random))] }))
    .addEdge(START, "model")
    .addEdge("model", END)
    .compile({ checkpointer: saver });
  const latest = { configurable: { thread_id: THREAD } };
  const configs: RunnableConfig[] = [];
  for (let turn = 1; turn <= turns; turn += 1) {
    await graph.invoke({ messages: [new HumanMessage(text(CHAT_BYTES.human, random))] }, latest);
    if (turn <= turns - reads) continue;
    const tuple = await saver.getTuple(latest);
    if (tuple) configs.push(tuple.config);
  }
  return { configs, read: (config = latest) => graph.getState(config) };
}
