/** Everything through PgBouncer in transaction mode: LangGraph's own validation suite, set-up, graphs, lost names. */
import { randomUUID } from "node:crypto";
import { deltaChannelHistoryTests, specTest } from "@langchain/langgraph-checkpoint-validation";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  test,
} from "vitest";
import { createPool, PostgresSaver } from "../../src/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { putValues } from "../contract/material.ts";
import { type PgBouncer, pgBouncerVersion, startPgBouncer } from "../torture/pgbouncer-server.ts";
import { poolerDies } from "../torture/pooler-dies.ts";

// The suite takes these from the global scope, where this project's tests have nothing.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

const TABLES = ["_threads", "", "_values", "_chunks", "_writes"].map((end) => `checkpoints${end}`);

type Pool = ReturnType<typeof createPool>;

describe.skipIf(pgBouncerVersion === undefined)(`case 41: through ${pgBouncerVersion}`, () => {
  let pooler: PgBouncer;
  beforeAll(async () => {
    pooler = await startPgBouncer(inject("postgres")["18"]);
  });
  afterAll(() => pooler?.stop());

  describe.each([false, true])("named statements: %s", (namedStatements) => {
    const schema = `pgbouncer_${randomUUID().slice(0, 8)}`;
    let pool: Pool;
    const suite = {
      checkpointerName: `PostgresSaver through PgBouncer, names ${namedStatements ? "on" : "off"}`,
      beforeAllTimeout: 60_000,
      async beforeAll() {
        pool = createPool({ connString: pooler.url, maxConns: 6 });
        // The migrations go through it, too.
        await new PostgresSaver(pool, undefined, { schema, namedStatements }).setup();
      },
      async afterAll() {
        await pool.query(`DROP SCHEMA ${schema} CASCADE`);
        await pool.end();
      },
      createCheckpointer: () => new PostgresSaver(pool, undefined, { schema, namedStatements }),
      async destroyCheckpointer(_: PostgresSaver) {
        for (const table of TABLES) await pool.query(`DELETE FROM ${schema}.${table}`);
      },
    };
    specTest(suite);
    deltaChannelHistoryTests(suite);
  });

  test("names that do not last are given up by themselves, once", async () => {
    const schema = `pgbouncer_${randomUUID().slice(0, 8)}`;
    const pool = createPool({ connString: pooler.url, maxConns: 6 });
    const storage = openStorage({ pool, owned: true, settings: { schema } });
    await storage.setup();
    const saver = new PostgresSaver(storage);
    const crowd = async () => {
      const puts = Array.from({ length: 60 }, (_, i) => putValues(saver, { i }));
      const configs = await Promise.all(puts);
      const found = await Promise.all(configs.map((config) => saver.get(config)));
      expect(found.map((one) => one?.channel_values)).toEqual(configs.map((_, i) => ({ i })));
    };
    await crowd();
    const { nameless } = storage.database.counters;
    expect(nameless).toBeGreaterThan(0);
    await crowd();
    expect(storage.database.counters.nameless).toBe(nameless);
    expect(storage.database.counters.errors).toBe(0);
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    await storage.close();
  });

  test("it dies under load and comes back", async () => {
    const counts = await poolerDies.run({
      seed: 1,
      rounds: 1,
      connString: inject("postgres")["18"],
    });
    expect(counts.kills).toBe(2);
    expect(counts["acknowledgements kept"]).toBeGreaterThan(30);
  }, 120_000);
});

test.runIf(pgBouncerVersion === undefined)("case 41 is skipped", (context) => {
  context.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)");
});
