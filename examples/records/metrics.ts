/** What a store did and how long it took. */
import assert from "node:assert/strict";
import { DuplicateCheckpointError, LangGraphPostgresError } from "langgraph-postgres";
import { openStore } from "./open.ts";

const slow: string[] = [];
await using store = await openStore({
  onOperation({ operation, durationMs, errorCode }) {
    if (durationMs > 1000 || errorCode) slow.push(`${operation} ${errorCode ?? "slow"}`);
  },
});
const history = Array.from({ length: 100 }, (_, i) => `what was said in turn ${i}, word by word`);
for (let i = 90; i <= 100; i += 1) {
  await store.save({ id: `turn-${i}`, threadId: "chat", state: { history: history.slice(0, i) } });
}

// Every database error keeps its SQLSTATE and the driver's own error.
const taken = { id: "turn-95", threadId: "chat", state: "again" };
const error = await store.save(taken, { ifExists: "error" }).catch((caught: unknown) => caught);
assert.ok(error instanceof DuplicateCheckpointError && error instanceof LangGraphPostgresError);
assert.equal(error.sqlState, "23505");
assert.equal(error.code, "DUPLICATE_CHECKPOINT");

const { operations, bytesStored, bytesDeduplicated, pool } = store.getMetrics();
console.log(operations.save, { bytesStored, bytesDeduplicated, pool }, slow);
assert.equal(operations.save?.count, 12);
assert.equal(operations.save?.errors, 1);
assert.ok(bytesDeduplicated > bytesStored, "ten of eleven histories were there already");
assert.ok(slow.includes("save DUPLICATE_CHECKPOINT"));
assert.deepEqual(Object.keys(store.poolStats()), ["total", "idle", "acquired", "waiting", "max"]);
