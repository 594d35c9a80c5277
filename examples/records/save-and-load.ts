/** Saving a checkpoint, loading it, and what happens with an id that is taken or unknown. */
import assert from "node:assert/strict";
import { CheckpointNotFoundError, DuplicateCheckpointError } from "langgraph-postgres";
import { openStore } from "./open.ts";

await using store = await openStore();

const saved = await store.save({
  id: "order-7/step-1",
  threadId: "order-7",
  nodeName: "plan",
  state: { todo: ["pick", "pack", "ship"], since: new Date("2026-01-01"), done: new Set(["pay"]) },
  metadata: { execution_id: "run-1", customer: "u1" },
});
console.log(saved.version, saved.timestamp);

// A state keeps its types, and a record is found by thread and by execution alike.
const loaded = await store.load<typeof saved.state>("order-7/step-1");
assert.deepEqual(loaded.state, saved.state);
assert.equal(loaded.executionId, "run-1");
assert.deepEqual(
  (await store.list("run-1")).map(({ id }) => id),
  (await store.listByThread("order-7")).map(({ id }) => id),
);

// Saving again replaces; `ifExists: "error"` refuses.
await store.save({ ...saved, state: { ...saved.state, todo: ["pack", "ship"] } });
await assert.rejects(store.save(saved, { ifExists: "error" }), DuplicateCheckpointError);

// All of a batch, or none of it.
await store.saveBatch([
  { id: "order-7/step-2", threadId: "order-7", parentId: saved.id, state: { todo: ["ship"] } },
  { id: "order-7/step-3", threadId: "order-7", parentId: "order-7/step-2", state: { todo: [] } },
]);
const latest = await store.getLatestByThread<{ todo: string[] }>("order-7");
assert.deepEqual(latest?.state, { todo: [] });

// What is gone may be deleted again; it cannot be loaded.
assert.equal(await store.delete("order-7/step-3"), 1);
assert.equal(await store.delete("order-7/step-3"), 0);
await assert.rejects(store.load("order-7/step-3"), CheckpointNotFoundError);
assert.equal(await store.clear("run-1"), 1);
