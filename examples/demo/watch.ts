/** Looks over the agent's shoulder: what each task does, and when its result is stored. */
import type { BaseMessage } from "@langchain/core/messages";
import { INTERRUPT, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { PostgresSaver } from "langgraph-postgres";
import type { DemoDatabase } from "./database.ts";
import type { Event, Order, Task } from "./events.ts";
import { perform } from "./journal.ts";

/** What a node changes in the state. */
export interface Update {
  readonly messages?: BaseMessage[];
}

/** Wraps a node: `name` says what it is run for, `work` is the node. */
export type Watch = <I>(
  node: string,
  name: (input: I) => string,
  work: (input: I) => Update | Promise<Update>,
) => (input: I, config: LangGraphRunnableConfig) => Promise<Update & { receipts: string[] }>;

interface Watched {
  readonly task: Task;
  what?: string;
}

/** A checkpointer that reports, and the wrapper for the nodes whose tasks it reports on. */
export function createWatch(
  order: Order,
  database: DemoDatabase,
  tell: (event: Event) => void,
): { checkpointer: PostgresSaver; watch: Watch } {
  const tasks = new Map<string, Watched>();
  const stored = new Map<number, number>();
  let onStored = (): void => {};

  class ReportingSaver extends PostgresSaver {
    override async putWrites(...args: Parameters<PostgresSaver["putWrites"]>): Promise<void> {
      await super.putWrites(...args);
      const [, writes, taskId] = args;
      const watched = tasks.get(taskId);
      const waits = writes.some(([channel]) => channel === INTERRUPT);
      if (!watched || (watched.what === undefined && !waits)) return;
      const { task, what = "waits for a human" } = watched;
      const bytes = await database.bytesStored(order.thread);
      tell({ kind: "stored", task, what, at: Date.now(), bytes });
      stored.set(task.step, (stored.get(task.step) ?? 0) + 1);
      onStored();
    }
  }

  /** Announces the task and never returns: its process is to be killed here. */
  const holdUntilKilled = async (task: Task, after: number): Promise<never> => {
    // Only when the rest of its step is stored, so that the kill always finds the same.
    while ((stored.get(task.step) ?? 0) < after) {
      await new Promise<void>((resolve) => {
        onStored = resolve;
      });
    }
    tell({ kind: "holding", task, at: Date.now() });
    return new Promise((_, reject) => {
      setTimeout(() => reject(new Error("Nobody killed this process.")), 60_000);
    });
  };

  const watch: Watch = (node, nameOf, work) => async (input, config) => {
    const { langgraph_step: step, langgraph_checkpoint_ns: namespace } = config.metadata ?? {};
    const name = nameOf(input);
    const task: Task = { step: Number(step), node, name };
    const watched: Watched = { task };
    // A task's namespace ends in its id, by which the checkpointer knows it.
    tasks.set(String(namespace).split(":").at(-1) ?? "", watched);
    if (order.hold?.name === name) await holdUntilKilled(task, order.hold.after);
    const update = await work(input);
    watched.what = describe(name, update);
    const receipt = perform(order.journal, { process: order.process, ...task });
    return { ...update, receipts: [receipt] };
  };

  const checkpointer = new ReportingSaver(database.pool, undefined, {
    schema: order.schema,
    autoMigrate: true,
  });
  return { checkpointer, watch };
}

function describe(name: string, { messages }: Update): string {
  const message = messages?.at(-1);
  if (message === undefined) return "approved";
  if (message.getType() === "tool") return `${name}: ${message.text}`;
  const calls = "tool_calls" in message ? (message.tool_calls as { name: string }[]) : [];
  return calls.length > 0
    ? `wants ${calls.map((call) => call.name).join(", ")}`
    : "answers the customer";
}
