/** `createAgent` of LangChain with a human who approves: a tool's question waits in the database for its answer. */
import { Command, interrupt } from "@langchain/langgraph";
import { createAgent, tool } from "langchain";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";
import { scripted } from "./scripted.ts";

await using store = await PostgresCheckpointStore.connect(database());

const refund = tool(
  ({ amount }: { amount: number }) =>
    interrupt(`Refund ${amount} €?`) === "yes" ? "refunded" : "a human refused",
  {
    name: "refund",
    description: "Sends money back",
    schema: { type: "object", properties: { amount: { type: "number" } } },
  },
);
const agent = createAgent({
  model: scripted({ use: "refund", args: { amount: 389 } }, "Your money is on its way."),
  tools: [refund],
  checkpointer: store.checkpointer,
});

const config = store.resumeConfig("order-1042");
await agent.invoke({ messages: ["My order arrived broken."] }, config);
const { tasks } = await agent.graph.getState(config);
console.log("asks:", tasks[0]?.interrupts[0]?.value);

// A second or a month later, in this process or in another one:
const { messages } = await agent.invoke(new Command({ resume: "yes" }), config);
for (const message of messages.slice(-2)) console.log(`${message.type}: ${message.text}`);
