/** A chat: `messages` grows by a question and an answer each turn, as in every LangGraph tutorial. */
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const ChatState = Annotation.Root({
  ...MessagesAnnotation.spec,
  turns: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
});

export interface ChatOptions extends GraphOptions {
  /** The scripted model; by default it counts the turns. */
  reply?: (messages: readonly BaseMessage[]) => string;
}

export function chatGraph(options: ChatOptions): TestGraph {
  const { checkpointer, record, reply = (messages) => `answer ${messages.length}` } = options;
  return asTestGraph(
    new StateGraph(ChatState)
      .addNode("model", (state) => {
        record?.("model");
        // With an id, as every provider's answers have: then what the node wrote is what the state holds.
        const id = `answer-${state.messages.length}`;
        const answer = new AIMessage({ id, content: reply(state.messages) });
        return { messages: [answer], turns: state.turns + 1 };
      })
      .addEdge(START, "model")
      .addEdge("model", END)
      .compile({ checkpointer }),
  );
}

/** The texts of a chat's messages, oldest first. */
export function texts(state: Record<string, unknown>): string[] {
  return (state.messages as BaseMessage[]).map((message) => String(message.content));
}
