/** One process of the demo: `node worker.ts '<Order as JSON>'`. It tells its parent what happens, as it happens. */
import { HumanMessage } from "@langchain/core/messages";
import { Command } from "@langchain/langgraph";
import { createAgent } from "./agent.ts";
import { openDatabase } from "./database.ts";
import type { Event, Order } from "./events.ts";
import { createWatch } from "./watch.ts";

const order: Order = JSON.parse(process.argv[2] ?? "{}");
// Whoever started this process is gone: it must not go on alone.
process.once("disconnect", () => process.exit(1));

const tell = (event: Event): void => void process.send?.(event);
if (order.role === "begin") tell({ kind: "begins", pid: process.pid });
const database = await openDatabase(order);
const { checkpointer, watch } = createWatch(order, database, tell);
const agent = createAgent({ checkpointer, watch });
const thread = { configurable: { thread_id: order.thread } };

const ROLES: Readonly<Record<Order["role"], () => Promise<void>>> = {
  begin: () => run({ messages: [new HumanMessage("Order 1042 arrived broken. Please help.")] }),
  async resume() {
    if (order.sabotage) await database.sabotage(order.sabotage, order.thread);
    await tellWhatIsFound();
    // No new input: LangGraph takes the thread up where its checkpoints end.
    await run(null);
  },
  async approve() {
    await tellWhatIsFound();
    await run(new Command({ resume: "yes" }));
  },
  audit,
  clean: () => database.clean(),
};

async function run(input: Parameters<typeof agent.invoke>[0]): Promise<void> {
  // "sync": a step is stored before the next begins, so no finished step can be lost to a crash.
  await agent.invoke(input, { ...thread, durability: "sync" });
  const { next } = await agent.getState(thread);
  tell({ kind: "stopped", next });
}

async function tellWhatIsFound(): Promise<void> {
  const { metadata, next, tasks } = await agent.getState(thread);
  const step = (metadata?.step ?? 0) + 1;
  const found = { step, tasks: tasks.length, stored: tasks.length - next.length };
  tell({ kind: "begins", pid: process.pid, found });
}

async function audit(): Promise<void> {
  const { values, next } = await agent.getState(thread);
  const history: { step: number; receipts: string[] }[] = [];
  for await (const { metadata, values } of agent.getStateHistory(thread)) {
    history.unshift({ step: metadata?.step ?? Number.NaN, receipts: values.receipts ?? [] });
  }
  tell({
    kind: "audited",
    audit: {
      next,
      receipts: values.receipts ?? [],
      lastMessage: values.messages?.at(-1)?.text ?? "",
      history,
      postgres: await database.version(),
    },
  });
}

try {
  await ROLES[order.role]();
} finally {
  await database.close();
  // Without a listener, the channel to the parent no longer keeps this process alive.
  process.removeAllListeners("disconnect");
}
