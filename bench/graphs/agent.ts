/** An agent: each turn a person asks, the model calls a tool, the tool answers with 3 KB, the model answers. */
import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { seeded, text } from "../words.ts";

export interface Agent {
  /** Runs the n-th turn of a thread, counted from 0. */
  turn(thread: string, n: number): Promise<unknown>;
}

const MESSAGES_A_TURN = 4;

export function agent(saver: BaseCheckpointSaver, turns: number): Agent {
  const random = seeded(turns);
  const script = Array.from({ length: turns }, () => ({
    question: text(200, random),
    thought: text(150, random),
    query: text(60, random),
    result: text(3000, random),
    answer: text(600, random),
  }));
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", ({ messages }) => {
      const n = Math.floor(messages.length / MESSAGES_A_TURN);
      const { thought = "", query = "", answer = "" } = script[n] ?? {};
      const calls = [{ id: `call-${n}`, name: "search", args: { query } }];
      return {
        messages: [
          messages.at(-1) instanceof HumanMessage
            ? new AIMessage({ content: thought, tool_calls: calls })
            : new AIMessage(answer),
        ],
      };
    })
    .addNode("tools", ({ messages }) => {
      const n = Math.floor(messages.length / MESSAGES_A_TURN);
      return {
        messages: [
          new ToolMessage({
            tool_call_id: `call-${n}`,
            name: "search",
            content: script[n]?.result ?? "",
          }),
        ],
      };
    })
    .addEdge(START, "model")
    .addConditionalEdges(
      "model",
      ({ messages }) =>
        (messages.at(-1) as AIMessage | undefined)?.tool_calls?.length ? "tools" : END,
      ["tools", END],
    )
    .addEdge("tools", "model")
    .compile({ checkpointer: saver });
  return {
    turn: (thread, n) =>
      graph.invoke(
        { messages: [new HumanMessage(script[n]?.question ?? "")] },
        { configurable: { thread_id: thread } },
      ),
  };
}
