/** The HTTP face: each tenant has a schema of its own in one database, over one pool. */
import type { BaseMessage } from "@langchain/core/messages";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { type DbPool, PostgresCheckpointStore } from "langgraph-postgres";
import { createAgent } from "./agent.ts";

export interface Service {
  readonly app: Hono;
  /** Refuses new runs, waits for those under way, and closes the stores. The pool stays open. */
  close(): Promise<void>;
}

/** The tenants are given, because whoever may invent names may create schemas. */
export function createService(pool: DbPool, tenants: readonly string[]): Service {
  const agents = new Map(
    tenants.map((tenant) => {
      const schema = `tenant_${tenant}`;
      const store = PostgresCheckpointStore.fromPool(pool, { schema, autoMigrate: true });
      return [tenant, { store, agent: createAgent(store.checkpointer) }];
    }),
  );
  const running = new Set<Promise<void>>();
  let closing = false;

  const app = new Hono();

  app.get("/health", (c) => c.json({ ok: !closing }, closing ? 503 : 200));

  app.get("/:tenant/threads/:thread", async (c) => {
    const tenant = agents.get(c.req.param("tenant"));
    if (!tenant) return c.notFound();
    const state = await tenant.agent.getState(tenant.store.resumeConfig(c.req.param("thread")));
    const messages: BaseMessage[] = state.values.messages ?? [];
    return c.json({ messages: messages.map(({ text }) => text), next: state.next });
  });

  app.post("/:tenant/threads/:thread/runs", async (c) => {
    const tenant = agents.get(c.req.param("tenant"));
    if (!tenant) return c.notFound();
    if (closing) return c.json({ error: "shutting down" }, 503);
    const config = tenant.store.resumeConfig(c.req.param("thread"));
    const { message } = await c.req.json<{ message: string }>();
    return streamSSE(c, (stream) => {
      const run = (async () => {
        const updates = await tenant.agent.stream(
          { messages: [message] },
          { ...config, streamMode: "updates" },
        );
        // Where the client has gone, nobody reads; the run goes on, and its thread has the answer.
        for await (const { answer } of updates) {
          const text = answer?.messages?.at(-1)?.text ?? "";
          await stream.writeSSE({ event: "answer", data: text });
        }
        await stream.writeSSE({ event: "end", data: "" });
      })().finally(() => running.delete(run));
      running.add(run);
      return run;
    });
  });

  return {
    app,
    async close() {
      closing = true;
      await Promise.allSettled(running);
      await Promise.all([...agents.values()].map(({ store }) => store.close()));
    },
  };
}
