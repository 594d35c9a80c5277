/** A graph in a graph: both are in one thread, each in a namespace, and both wait for one answer. */
import { Annotation, Command, interrupt, START, StateGraph } from "@langchain/langgraph";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";

await using store = await PostgresCheckpointStore.connect(database());

const State = Annotation.Root({ order: Annotation<string>, log: Annotation<string> });
const payment = new StateGraph(State)
  .addNode("charge", ({ order }) => ({ log: `${order}: ${interrupt(`Charge ${order}?`)}` }))
  .addEdge(START, "charge")
  .compile();
const shop = new StateGraph(State)
  .addNode("payment", payment)
  .addNode("ship", ({ log }) => ({ log: `${log}, shipped` }))
  .addEdge(START, "payment")
  .addEdge("payment", "ship")
  .compile({ checkpointer: store.checkpointer });

const config = store.resumeConfig("order-7");
await shop.invoke({ order: "tea", log: "" }, config);

const { tasks } = await shop.getState(config, { subgraphs: true });
const inner = tasks[0]?.state;
if (inner && "config" in inner) {
  console.log("inside:", inner.config?.configurable?.checkpoint_ns.split(":")[0]);
}
console.log("asks:", tasks[0]?.interrupts[0]?.value);
console.log((await shop.invoke(new Command({ resume: "charged" }), config)).log);
