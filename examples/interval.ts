/** A run of a hundred short steps, streamed token by token and stored once in a while. */
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";

await using store = await PostgresCheckpointStore.connect(database());
const checkpointer = store.checkpointerWith({ checkpointInterval: "5s" });

const graph = new StateGraph(MessagesAnnotation)
  .addNode("write", ({ messages }) => ({ messages: [new AIMessage(`line ${messages.length}`)] }))
  .addEdge(START, "write")
  .addConditionalEdges("write", ({ messages }) => (messages.length > 100 ? END : "write"))
  .compile({ checkpointer });

const config = { configurable: { thread_id: "poem" }, recursionLimit: 200 };
let updates = 0;
for await (const _ of await graph.stream(
  { messages: ["A poem of a hundred lines."] },
  { ...config, streamMode: "updates" },
)) {
  updates += 1;
}

const { total } = await store.listWithOptions({ threadId: "poem" });
const { values } = await graph.getState(config);
console.log(`${updates} updates streamed, ${total} checkpoints stored`);
console.log(`the last of ${values.messages.length} messages: ${values.messages.at(-1)?.text}`);
