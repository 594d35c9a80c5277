/**
 * A table for each tenant, in one schema and over one pool: threads of the same id know nothing of each
 * other, and a tenant who leaves takes the tables along.
 */
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { createPool, embedded, PostgresCheckpointStore } from "langgraph-postgres";

const { DATABASE_URL } = process.env;
const pool = DATABASE_URL ? createPool({ connString: DATABASE_URL }) : await embedded("memory");

const builder = new StateGraph(MessagesAnnotation)
  .addNode("answer", ({ messages }) => ({ messages: [`That was message ${messages.length}.`] }))
  .addEdge(START, "answer");

/** The tenants are the operator's: whoever may invent names may create tables. */
const TENANTS = ["acme", "globex"];
const agents = new Map(
  TENANTS.map((tenant) => {
    const tableName = `${tenant}_checkpoints`;
    const options = { schema: "tenants", tableName, autoMigrate: true };
    const store = PostgresCheckpointStore.fromPool(pool, options);
    return [tenant, { store, agent: builder.compile({ checkpointer: store.checkpointer }) }];
  }),
);

async function ask(tenant: string, text: string): Promise<string> {
  const found = agents.get(tenant);
  if (found === undefined) throw new Error(`There is no tenant ${tenant}.`);
  const { messages } = await found.agent.invoke(
    { messages: [text] },
    found.store.resumeConfig("1"),
  );
  return `${tenant}: ${messages.map((message) => message.text).join(" ")}`;
}

async function tables(): Promise<string> {
  const { rows } = await pool.query(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'tenants' AND tablename LIKE '%\\_threads' ORDER BY 1",
  );
  return rows.map(({ tablename }) => tablename).join(", ");
}

const answers = await Promise.all(TENANTS.map((tenant) => ask(tenant, `Hello from ${tenant}.`)));
for (const answer of answers) console.log(answer);
console.log(await ask("acme", "And again."));
console.log(await tables());

// Globex leaves.
await agents.get("globex")?.store.migrateTo(0, { allowDataLoss: true });
console.log(await tables());

for (const { store } of agents.values()) await store.close();
await pool.end();
