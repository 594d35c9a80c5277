/** What a graph wrote, as records; and going on from one of them. */
import assert from "node:assert/strict";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { openStore } from "./open.ts";

await using store = await openStore();

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (old, more) => old.concat(more), default: () => [] }),
});
const graph = new StateGraph(State)
  .addNode("draft", () => ({ log: ["drafted"] }))
  .addNode("send", () => ({ log: ["sent"] }))
  .addEdge(START, "draft")
  .addEdge("draft", "send")
  .addEdge("send", END)
  .compile({ checkpointer: store.checkpointer });

const runId = crypto.randomUUID();
const config = { configurable: { thread_id: "letter", run_id: runId } };
await graph.invoke({ log: ["asked"] }, { ...config, interruptBefore: ["send"] });

const latest = await store.getLatestByThread<{ log: string[] }>("letter");
assert.deepEqual(latest?.state.log, ["asked", "drafted"]);
assert.equal(latest.nodeName, "draft");
assert.equal(latest.executionId, runId);
for (const { version, nodeName, id } of await store.listByThread("letter")) {
  console.log(version, nodeName ?? "(input)", id);
}

// From where it stopped, or from any checkpoint.
const done = await graph.invoke(null, store.resumeConfig("letter", latest.id));
assert.deepEqual(done.log, ["asked", "drafted", "sent"]);
