/** What the service serves: any graph. This one answers in three steps, and takes its time. */
import { setTimeout as sleep } from "node:timers/promises";
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { PostgresSaver } from "langgraph-postgres";

const STEPS = ["I read it.", "I think about it.", "Here is my answer."];

export function createAgent(checkpointer: PostgresSaver) {
  return new StateGraph(MessagesAnnotation)
    .addNode("answer", async ({ messages }) => {
      await sleep(100);
      const said = messages.slice(messages.findLastIndex(({ type }) => type === "human") + 1);
      return { messages: [new AIMessage(STEPS[said.length] ?? "")] };
    })
    .addEdge(START, "answer")
    .addConditionalEdges("answer", ({ messages }) =>
      messages.at(-1)?.text === STEPS.at(-1) ? END : "answer",
    )
    .compile({ checkpointer });
}
