/**
 * `createReactAgent` of LangGraph with a human before its tools: the run ends there, and what the model
 * wants to do waits in the database for a yes or a no.
 */
import { type AIMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";
import { scripted } from "./scripted.ts";

await using store = await PostgresCheckpointStore.connect(database());

const refund = tool(({ amount }: { amount: number }) => `refunded ${amount} €`, {
  name: "refund",
  description: "Sends money back",
  schema: { type: "object", properties: { amount: { type: "number" } } },
});
const agent = createReactAgent({
  llm: scripted(
    { use: "refund", args: { amount: 389 } },
    { use: "refund", args: { amount: 9000 } },
    "Your money is on its way.",
    "I cannot refund that.",
  ),
  tools: [refund],
  checkpointer: store.checkpointer,
  interruptBefore: ["tools"],
});

for (const order of ["1042", "1043"]) {
  await agent.invoke({ messages: [`Order ${order} arrived broken.`] }, store.resumeConfig(order));
}

// A second or a month later, in this process or in another one:
for (const [order, answer] of [
  ["1042", "yes"],
  ["1043", "no"],
] as const) {
  const config = store.resumeConfig(order);
  const { values, next } = await agent.getState(config);
  const [call] = (values.messages.at(-1) as AIMessage).tool_calls ?? [];
  console.log(`before ${next}: ${call?.name} ${JSON.stringify(call?.args)}? ${answer}`);
  if (answer === "no") {
    // Said in the place of the tools, which then do not run.
    const refusal = new ToolMessage({ tool_call_id: call?.id ?? "", content: "a human refused" });
    await agent.updateState(config, { messages: [refusal] }, "tools");
  }
  const { messages } = await agent.invoke(null, config);
  for (const message of messages.slice(-2)) console.log(`${message.type}: ${message.text}`);
}
