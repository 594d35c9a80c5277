/** Opening a store: with a pool of its own, or on a pool that the program has already. */
import assert from "node:assert/strict";
import { createPool, embedded, PostgresCheckpointStore } from "langgraph-postgres";

const connString = process.env.DATABASE_URL;

// 1. A pool of its own, closed with the store. `autoMigrate` creates the tables.
if (connString) {
  await using store = await PostgresCheckpointStore.connect({
    connString,
    schema: "my_agents",
    tableName: "checkpoints",
    autoMigrate: true,
    pool: { maxConns: 10, minConns: 2, maxConnIdleTime: "30m", healthCheckPeriod: "1m" },
    ttl: { checkpoints: "30d" },
  });
  assert.equal(store.poolStats().max, 10);
}

// 2. A pool of yours: it is neither configured nor ended. Any `pg.Pool` will do.
const pool = connString
  ? createPool({
      connString,
      maxConns: 4,
      beforeAcquire: async (client) => {
        await client.query("SET application_name = 'my agents'");
        return true;
      },
    })
  : await embedded("memory");
const store = PostgresCheckpointStore.fromPool(pool, { schema: "my_agents" });
await store.initSchema();
await store.save({ id: "hello", threadId: "42", state: { greeted: true } });
console.log(await store.load("hello"));

await store.close();
const { rows } = await pool.query("SELECT 'still open' AS pool");
assert.deepEqual(rows, [{ pool: "still open" }]);
await pool.end();
