/**
 * One run of the agent in a process of its own: `node --import tsx agent-process.ts '<Order as JSON>'`. It prints one
 * line of JSON: the nodes that ran, the texts of the messages, and what the thread waits for.
 */
import { Command } from "@langchain/langgraph";
import { createPool, embedded, PostgresSaver } from "../../src/index.ts";
import { agentGraph } from "./graphs/agent.ts";
import { texts } from "./graphs/chat.ts";

export interface Order {
  /** Where the thread is: a server's connection string, or the directory of an embedded database. */
  connString?: string;
  dataDir?: string;
  schema: string;
  thread: string;
  /** The answer to the approval that the thread waits for; without it, the agent begins. */
  answer?: string;
}

export interface Report {
  pid: number;
  ran: string[];
  texts: string[];
  next: string[];
}

async function run(order: Order): Promise<Report> {
  const { connString, dataDir = "memory", schema, thread, answer } = order;
  const pool = connString ? createPool({ connString, maxConns: 2 }) : await embedded(dataDir);
  const checkpointer = new PostgresSaver(pool, undefined, { schema });
  await checkpointer.setup();
  const ran: string[] = [];
  const graph = agentGraph({ checkpointer, record: (node) => void ran.push(node) });
  const config = { configurable: { thread_id: thread } };
  const input = answer ? new Command({ resume: answer }) : { messages: ["refund order 8"] };
  const result = await graph.invoke(input, config);
  const { next } = await graph.getState(config);
  await pool.end();
  return { pid: process.pid, ran, texts: texts(result), next };
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "{}"))));
