/** One pool for the graph and for your own tables: here with Kysely; with Drizzle it is `drizzle(pool)`. */
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { Kysely, PostgresDialect } from "kysely";
import { createPool, embedded, PostgresSaver } from "langgraph-postgres";

interface Database {
  greetings: { thread: string; text: string };
}

const { DATABASE_URL } = process.env;
const pool = DATABASE_URL ? createPool({ connString: DATABASE_URL }) : await embedded("memory");
const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
await db.schema
  .createTable("greetings")
  .ifNotExists()
  .addColumn("thread", "text", (column) => column.primaryKey())
  .addColumn("text", "text")
  .execute();

// The pool stays yours: the saver neither configures nor ends it.
const checkpointer = new PostgresSaver(pool, undefined, { autoMigrate: true });
const State = Annotation.Root({ name: Annotation<string>, text: Annotation<string> });
const graph = new StateGraph(State)
  .addNode("greet", ({ name }) => ({ text: `Hello ${name}` }))
  .addNode("save", async ({ text }, { configurable }) => {
    const row = { thread: String(configurable?.thread_id), text };
    // A step may run again after a crash: write so that twice is as once.
    await db
      .insertInto("greetings")
      .values(row)
      .onConflict((thread) => thread.doNothing())
      .execute();
    return {};
  })
  .addEdge(START, "greet")
  .addEdge("greet", "save")
  .compile({ checkpointer });

await graph.invoke({ name: "Ada", text: "" }, { configurable: { thread_id: "ada" } });
console.log(await db.selectFrom("greetings").selectAll().execute());
// Ends the pool, and with it everything.
await db.destroy();
