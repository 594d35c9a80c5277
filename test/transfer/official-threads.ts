/** Threads as the official saver writes them, of every kind, and what becomes of them when they go on. */

import { Command } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PostgresSaver as OfficialSaver } from "@langchain/langgraph-checkpoint-postgres";
import { agentGraph } from "../langgraph/graphs/agent.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { mapReduceGraph } from "../langgraph/graphs/fan-out.ts";
import type { RunConfig } from "../langgraph/graphs/graph.ts";
import { interviewGraph, voteGraph } from "../langgraph/graphs/interrupts.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { inheritingGraph, nestedGraph, rememberingGraph } from "../langgraph/graphs/subgraphs.ts";

export { OfficialSaver };

/** A kind of thread: how it begins there, and how it ends here; `finish` returns what a reader would notice. */
export interface Kind {
  readonly name: string;
  begin(saver: BaseCheckpointSaver, config: RunConfig): Promise<unknown>;
  finish(saver: BaseCheckpointSaver, config: RunConfig): Promise<unknown>;
}

const graphs = { interviewGraph, inheritingGraph, nestedGraph, rememberingGraph, mapReduceGraph };

export const KINDS: readonly Kind[] = [
  {
    name: "chat",
    async begin(checkpointer, config) {
      const graph = chatGraph({
        checkpointer,
        reply: (all) => `answer ${all.length} ${"x".repeat(900)}`,
      });
      for (const turn of [1, 2, 3, 4])
        await graph.invoke({ messages: [`question ${turn}`] }, config);
    },
    async finish(checkpointer, config) {
      const graph = chatGraph({ checkpointer });
      return texts(await graph.invoke({ messages: ["and now?"] }, config)).map((text) =>
        text.slice(0, 20),
      );
    },
  },
  {
    name: "fork",
    async begin(checkpointer, config) {
      const graph = stepsGraph({ checkpointer });
      await graph.invoke({ topic: "tea" }, config);
      for await (const { next, config: old } of graph.getStateHistory(config)) {
        if (!next.includes("two")) continue;
        await graph.invoke(null, await graph.updateState(old, { topic: "ink" }));
        break;
      }
    },
    async finish(checkpointer, config) {
      const graph = stepsGraph({ checkpointer });
      const { log } = await graph.invoke({ topic: "rye" }, config);
      return log;
    },
  },
  {
    name: "interview",
    async begin(checkpointer, config) {
      const graph = interviewGraph({ checkpointer });
      await graph.invoke({}, config);
      await graph.invoke(new Command({ resume: "Ada" }), config);
    },
    async finish(checkpointer, config) {
      const ran: string[] = [];
      const graph = interviewGraph({ checkpointer, record: (node) => void ran.push(node) });
      return { ...(await graph.invoke(new Command({ resume: "good" }), config)), ran };
    },
  },
  {
    name: "votes",
    async begin(checkpointer, config) {
      await voteGraph({ checkpointer }).invoke({ voters: ["ann", "robot", "bob"] }, config);
    },
    async finish(checkpointer, config) {
      const ran: string[] = [];
      const graph = voteGraph({ checkpointer, record: (node) => void ran.push(node) });
      const { tasks } = await graph.getState(config);
      const resume = Object.fromEntries(
        tasks.flatMap((task) =>
          task.interrupts.map(({ id = "", value }) => [id, `aye ${value.voter}`]),
        ),
      );
      const { votes } = await graph.invoke(new Command({ resume }), config);
      return { votes, ran: ran.sort() };
    },
  },
  {
    name: "agent",
    async begin(checkpointer, config) {
      await agentGraph({ checkpointer }).invoke({ messages: ["refund order 8"] }, config);
    },
    async finish(checkpointer, config) {
      const ran: string[] = [];
      const graph = agentGraph({ checkpointer, record: (node) => void ran.push(node) });
      const result = await graph.invoke(new Command({ resume: "yes" }), config);
      return { texts: texts(result), ran };
    },
  },
  ...(["inheritingGraph", "nestedGraph"] as const).map(
    (name): Kind => ({
      name,
      async begin(checkpointer, config) {
        await graphs[name]({ checkpointer }).invoke({}, config);
      },
      async finish(checkpointer, config) {
        const ran: string[] = [];
        const graph = graphs[name]({ checkpointer, record: (node) => void ran.push(node) });
        return { ...(await graph.invoke(new Command({ resume: "42" }), config)), ran };
      },
    }),
  ),
  {
    name: "rememberingGraph",
    async begin(checkpointer, config) {
      await rememberingGraph({ checkpointer }).invoke({}, config);
    },
    finish: (checkpointer, config) => rememberingGraph({ checkpointer }).invoke({}, config),
  },
  {
    name: "fan-out",
    async begin(checkpointer, config) {
      await mapReduceGraph({ checkpointer }).invoke({ subjects: ["a", "b", "c"] }, config);
    },
    finish: (checkpointer, config) =>
      mapReduceGraph({ checkpointer }).invoke({ subjects: ["d"] }, config),
  },
];

/** `count` threads by the official saver, each kind in turn: their ids, in order. */
export async function makeThreads(saver: BaseCheckpointSaver, count: number): Promise<string[]> {
  const ids = Array.from(
    { length: count },
    (_, i) => `${kindOf(i).name} ${String(i).padStart(4, "0")}`,
  );
  for (let at = 0; at < count; at += 8) {
    await Promise.all(
      ids.slice(at, at + 8).map((id, i) => kindOf(at + i).begin(saver, configOf(id))),
    );
  }
  return ids;
}

export function kindOf(index: number): Kind {
  return KINDS[index % KINDS.length] as Kind;
}

export function configOf(thread: string): RunConfig {
  return { configurable: { thread_id: thread } };
}
