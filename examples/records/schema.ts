/** Tables: created, brought to a version, taken back. */
import assert from "node:assert/strict";
import { PostgresCheckpointStore, SchemaError } from "langgraph-postgres";
import { openStore } from "./open.ts";

await using store = await openStore({ schema: "by_hand", autoMigrate: false });

// Using tables that are not there says which call creates them.
if ((await store.getSchemaVersion()) === 0) {
  await assert.rejects(store.load("x"), SchemaError);
}
const { to } = await store.initSchema();
assert.equal(await store.getSchemaVersion(), to);
console.log(await store.migrateSchema());

// A step down is taken where nothing is lost by it; otherwise it has to be said.
await store.save({ id: "a", threadId: "t", state: 1 });
await assert.rejects(store.migrateTo(0), SchemaError);
await store.migrateTo(0, { allowDataLoss: true });
assert.equal(await store.getSchemaVersion(), 0);
assert.ok(store instanceof PostgresCheckpointStore);
