/** The functional API: a workflow in plain code. A task that is done is not done again after a stop. */
import { Command, entrypoint, interrupt, task } from "@langchain/langgraph";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";

await using store = await PostgresCheckpointStore.connect(database());

const draft = task("draft", async (topic: string) => {
  console.log(`drafting ${topic}`);
  return `All about ${topic}`;
});

const essay = entrypoint(
  { name: "essay", checkpointer: store.checkpointer },
  async (topics: string[]) => {
    const drafts = await Promise.all(topics.map((topic) => draft(topic)));
    const verdict = interrupt<string[], string>(drafts);
    return `${drafts.join(". ")}. (${verdict})`;
  },
);

const config = store.resumeConfig("essay-1");
await essay.invoke(["tea", "coffee"], config);
// The workflow runs from its start again; the drafts come from the database.
console.log(await essay.invoke(new Command({ resume: "well done" }), config));
