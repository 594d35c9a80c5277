// How long a unit test waits for a store of its own in memory: connect, the tables, and a first save.
// Usage: npm run bench:memory
import { PostgresCheckpointStore } from "../src/index.ts";

const LATER = 9;
const print = (text) => process.stdout.write(`${text}\n`);
const since = (begun) => `${Math.round(performance.now() - begun)} ms`;

async function open(options) {
  const begun = performance.now();
  const store = await PostgresCheckpointStore.connect({ embedded: "memory", ...options });
  await store.save({ id: "1", threadId: "1", state: { todo: ["a", "b"] } });
  const took = since(begun);
  await store.close();
  return took;
}

print(`the first store of the process: ${await open()}`);
print(`the second: ${await open()}`);
print(`the third, with names of its own: ${await open({ schema: "mine", tableName: "steps" })}`);
const later = [];
for (let i = 0; i < LATER; i += 1) later.push(await open());
print(`${LATER} more: ${later.join(", ")}`);
