/** `durability`: when LangGraph hands its state to the saver; in all three modes the thread must be whole at the end. */
import { Command } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { agentGraph } from "./graphs/agent.ts";
import { chatGraph, texts } from "./graphs/chat.ts";
import { mapReduceGraph } from "./graphs/fan-out.ts";
import type { Durability } from "./graphs/graph.ts";
import { inheritingGraph } from "./graphs/subgraphs.ts";
import { sameAsMemory } from "./same-as-memory.ts";

const modes: Durability[] = ["sync", "async", "exit"];

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  describe.each(modes)("durability %s", (durability) => {
    test("a chat of three turns", async () => {
      const { config } = await sameAsMemory(open.saver, async (stage) => {
        const graph = chatGraph({ checkpointer: stage.saver, record: stage.record });
        for (const text of ["a", "b", "c"]) {
          await graph.invoke({ messages: [text] }, { ...stage.config, durability });
        }
        return { graph, result: undefined };
      });
      const state = await chatGraph({ checkpointer: open.fresh() }).getState(config);
      expect(texts(state.values)).toEqual(["a", "answer 1", "b", "answer 3", "c", "answer 5"]);
    });

    test("an agent that waits for its approval and goes on", async () => {
      const { result } = await sameAsMemory(open.saver, async (stage) => {
        const graph = agentGraph({ checkpointer: stage.saver, record: stage.record });
        const config = { ...stage.config, durability };
        await graph.invoke({ messages: ["refund order 8"] }, config);
        return { graph, result: await graph.invoke(new Command({ resume: "no" }), config) };
      });
      expect(texts(result).slice(-2)).toEqual(["refused", "All done."]);
    });

    test("a fan-out, stopped and resumed", async () => {
      const { result } = await sameAsMemory(open.saver, async (stage) => {
        const graph = mapReduceGraph({ checkpointer: stage.saver, record: stage.record });
        const config = { ...stage.config, durability };
        await graph.invoke({ subjects: ["a", "b"] }, { ...config, interruptBefore: ["work"] });
        return { graph, result: await graph.invoke(null, config) };
      });
      expect(result.report).toBe("A+B");
    });

    test("a subgraph that waits", async () => {
      const { result } = await sameAsMemory(open.saver, async (stage) => {
        const graph = inheritingGraph({ checkpointer: stage.saver, record: stage.record });
        const config = { ...stage.config, durability };
        await graph.invoke({}, config);
        return { graph, result: await graph.invoke(new Command({ resume: "1" }), config) };
      });
      expect(result.log).toContain("told 1");
    });
  });
});
