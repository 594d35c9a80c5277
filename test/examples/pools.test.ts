/** Pools of others: what their published types say is what a saver and a store take. */
import { readFile } from "node:fs/promises";
import type { Pool as NeonPool } from "@neondatabase/serverless";
import type { VercelPool } from "@vercel/postgres";
import type { Pool as PgPool } from "pg";
import { expect, expectTypeOf, inject, test } from "vitest";
import { type DbPool, embedded, PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";

test("pg, Neon and Vercel", () => {
  // The compiler checks these; a pool that does not fit fails `npm run check`.
  expectTypeOf<PgPool>().toExtend<DbPool>();
  expectTypeOf<NeonPool>().toExtend<DbPool>();
  expectTypeOf<VercelPool>().toExtend<DbPool>();
  expectTypeOf<{ query: PgPool["query"] }>().not.toExtend<DbPool>();
  const open = (pool: NeonPool | VercelPool) => [
    new PostgresSaver(pool, undefined, { autoMigrate: true }),
    PostgresCheckpointStore.fromPool(pool),
  ];
  expect(open).toBeTypeOf("function");
});

test("in memory, for unit tests: a process that had one database opens the next within 100 ms", async () => {
  useTemplate(() => readFile(inject("embeddedTemplate")));
  const times: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const begun = performance.now();
    const pool = await embedded("memory");
    times.push(performance.now() - begun);
    const store = PostgresCheckpointStore.fromPool(pool, { autoMigrate: true });
    // Nothing of the one before is left.
    expect(await store.listByThread("1")).toEqual([]);
    await store.save({ id: "1", threadId: "1", state: {} });
    await store.close();
    await pool.end();
  }
  // The better of two: the machine may be busy.
  expect(Math.min(...times.slice(1)), `${times}`).toBeLessThan(100);
});
