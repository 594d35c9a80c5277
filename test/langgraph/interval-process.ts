/**
 * A run with a checkpoint interval in a process of its own, to be killed:
 * `node --import tsx interval-process.ts <connection string> <schema>`. It stores what it has at lap 4
 * and prints a line at lap 8, in which it stays.
 */
import { PostgresCheckpointStore } from "../../src/index.ts";
import { lapsGraph } from "./graphs/laps.ts";

const [connString = "", schema = ""] = process.argv.slice(2);
const store = await PostgresCheckpointStore.connect({ connString, schema });
const checkpointer = store.checkpointerWith({ checkpointInterval: "1h" });
const graph = lapsGraph({
  checkpointer,
  async onLap(lap) {
    if (lap === 4) await checkpointer.flush("killed");
    if (lap < 8) return;
    process.stdout.write("lap 8\n");
    await new Promise(() => setInterval(() => {}, 1000));
  },
});
await graph.invoke({ goal: 10 }, { configurable: { thread_id: "killed" } });
