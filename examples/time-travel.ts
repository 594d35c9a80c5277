/** Every step is kept: look at one, change it, and go on from there. The old branch stays. */
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";

await using store = await PostgresCheckpointStore.connect(database());

const State = Annotation.Root({ topic: Annotation<string>, text: Annotation<string> });
const graph = new StateGraph(State)
  .addNode("choose", () => ({ topic: "tea" }))
  .addNode("write", ({ topic }) => ({ text: `An ode to ${topic}` }))
  .addEdge(START, "choose")
  .addEdge("choose", "write")
  .compile({ checkpointer: store.checkpointer });

const config = store.resumeConfig("ode");
console.log((await graph.invoke({ topic: "" }, config)).text);

// The checkpoint in front of "write", with another topic, is where a new branch begins.
for await (const { config, next } of graph.getStateHistory(store.resumeConfig("ode"))) {
  if (next[0] !== "write") continue;
  const fork = await graph.updateState(config, { topic: "coffee" });
  console.log((await graph.invoke(null, fork)).text);
  break;
}

// Both branches come from one checkpoint, and share what they have in common.
const texts: string[] = [];
for await (const { values, next } of graph.getStateHistory(config)) {
  if (next.length === 0) texts.push(values.text);
}
console.log(texts.join("; "));
