/** Pools of others: what their published types say is what a saver and a store take. */
import { readFile } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import type { Pool as NeonPool } from "@neondatabase/serverless";
import type { VercelPool } from "@vercel/postgres";
import type { Pool as PgPool } from "pg";
import { beforeAll, describe, expect, expectTypeOf, inject, test, vi } from "vitest";
import { type DbPool, PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";

/** Messages to the engine: the session, the tables, a save. One for each statement, nothing asked twice. */
const QUESTIONS = 42;

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

describe("in memory, for unit tests", () => {
  beforeAll(() => useTemplate(() => readFile(inject("embeddedTemplate"))));

  test("a store takes over the database of the one before, empty, and has its tables in few questions", async () => {
    await (await PostgresCheckpointStore.connect({ embedded: "memory" })).close();
    const made = vi.spyOn(PGlite, "create");
    const asked = vi.spyOn(PGlite.prototype, "execProtocolRawSync");
    for (const names of [{}, {}, { schema: "mine", tableName: "steps" }, {}]) {
      asked.mockClear();
      const store = await PostgresCheckpointStore.connect({ embedded: "memory", ...names });
      await store.save({ id: "1", threadId: "1", state: {} });
      // Each is a millisecond or two; `npm run bench:memory` says how many these are.
      expect(asked.mock.calls.length).toBeLessThanOrEqual(QUESTIONS);
      // Nothing of the one before is left.
      expect(await store.listByThread("1")).toHaveLength(1);
      await store.close();
    }
    expect(made).not.toHaveBeenCalled();
  });
});
