/** A chat: each turn a person says 0.2 KB and a model answers with 1.2 KB. */
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { seeded, text } from "../words.ts";

export interface ChatSize {
  readonly turns: number;
  readonly human: number;
  readonly ai: number;
}

export const CHAT_BYTES = { human: 200, ai: 1200 } as const;

export interface Chat {
  /** Runs the n-th turn of a thread, counted from 0. */
  turn(thread: string, n: number): Promise<unknown>;
}

/** What is said is the same for every saver, and made before the clock starts. */
export function chat(saver: BaseCheckpointSaver, { turns, human, ai }: ChatSize): Chat {
  const random = seeded(turns);
  const questions = Array.from({ length: turns }, () => text(human, random));
  const answers = Array.from({ length: turns }, () => text(ai, random));
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", ({ messages }) => ({
      messages: [new AIMessage(answers[(messages.length - 1) / 2] ?? "")],
    }))
    .addEdge(START, "model")
    .addEdge("model", END)
    .compile({ checkpointer: saver });
  return {
    turn: (thread, n) =>
      graph.invoke(
        { messages: [new HumanMessage(questions[n] ?? "")] },
        { configurable: { thread_id: thread } },
      ),
  };
}
