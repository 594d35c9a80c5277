/** A checkpoint and rows of one's own, atomically. */
import assert from "node:assert/strict";
import { openStore } from "./open.ts";

await using store = await openStore();
await store.transaction(async (tx) => {
  await tx.query("CREATE TABLE IF NOT EXISTS my_orders (id text PRIMARY KEY, paid boolean)");
});

const pay = (id: string, card: string) =>
  store.transaction(async (tx) => {
    await tx.save({ id: `${id}/paid`, threadId: id, state: { paid: true } });
    await tx.query("INSERT INTO my_orders (id, paid) VALUES ($1, true) ON CONFLICT DO NOTHING", [
      id,
    ]);
    if (card === "stolen") throw new Error("The bank says no.");
  });

await pay("order-8", "good");
await assert.rejects(pay("order-9", "stolen"), /bank says no/);

assert.equal((await store.getLatestByThread("order-8"))?.id, "order-8/paid");
assert.equal(await store.getLatestByThread("order-9"), undefined);
const orders = await store.transaction((tx) => tx.query("SELECT id FROM my_orders"));
console.log(orders.rows);
assert.deepEqual(orders.rows, [{ id: "order-8" }]);
await store.transaction((tx) => tx.query("DROP TABLE my_orders"));
