/**
 * Several workers, many threads: a lease lets one worker at a time run a thread. One that died, or was
 * paused for too long, has lost its lease, and what it still writes is refused.
 */
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { PostgresCheckpointStore, ThreadConflictError } from "langgraph-postgres";
import { database } from "./database.ts";

await using store = await PostgresCheckpointStore.connect(database());

const State = Annotation.Root({ done: Annotation<string> });
const graph = new StateGraph(State)
  .addNode("work", ({ done }) => ({ done: `${done}, done` }))
  .addEdge(START, "work")
  .compile({ checkpointer: store.checkpointer });

const jobs = ["job-1", "job-2", "job-3", "job-4"];
const ran: string[] = [];

/** Takes every job that nobody else has, and runs it to its end. */
async function worker(name: string): Promise<void> {
  for (const job of jobs) {
    try {
      await using lease = await store.acquireThread(job, { ttl: "30s" });
      if ((await graph.getState(lease.config)).createdAt) continue;
      await graph.invoke({ done: name }, { ...lease.config, signal: lease.lost });
      ran.push(job);
    } catch (error) {
      // Another worker has it.
      if (!(error instanceof ThreadConflictError)) throw error;
    }
  }
}

await Promise.all(["Ann", "Bob", "Cy"].map(worker));
console.log(`${ran.length} runs of ${new Set(ran).size} jobs`);

// A worker that was away for longer than its lease holds does no harm when it comes back.
const old = await store.acquireThread("job-5", { ttl: "50ms" });
await old.release();
await using _ = await store.acquireThread("job-5");
const refused = await graph.invoke({ done: "late" }, old.config).catch((error) => error);
console.log(refused.code);
