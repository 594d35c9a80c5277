/** Statements by name, and what happens where names do not last. */
import type pg from "pg";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDatabase, createPool, type Database, statement } from "../../src/postgres/index.ts";

const DOUBLE = statement("double", "SELECT ($1::int * 2)::text");
const PREPARED = statement(
  "prepared",
  "SELECT name FROM pg_prepared_statements WHERE name LIKE 'double%'",
);

let pool: pg.Pool;
let db: Database;
beforeEach(() => {
  pool = createPool({ connString: inject("postgres")["18"], maxConns: 1 });
  db = createDatabase({ pool, owned: true });
});
afterEach(() => db.close());

test("statements are prepared under their names", async () => {
  await db.execute(DOUBLE, [2]);
  await db.transaction((tx) => tx.execute(DOUBLE, [2]));
  expect(await db.execute(PREPARED, [])).toEqual([[DOUBLE.name]]);
});

test("with names off nothing is prepared", async () => {
  const nameless = createDatabase({ pool, namedStatements: false });
  expect(await nameless.execute(DOUBLE, [2])).toEqual([["4"]]);
  expect(await nameless.execute(PREPARED, [])).toEqual([]);
  await nameless.close();
});

test("names that the server has forgotten (26000) are given up for this pool", async () => {
  await db.execute(DOUBLE, [1]);
  await pool.query("DEALLOCATE ALL");
  expect(await db.execute(DOUBLE, [21])).toEqual([["42"]]);
  expect(db.counters).toMatchObject({ nameless: 1, retries: 0, errors: 0 });
  // Once is enough to know, and every database on the pool knows.
  await pool.query("DEALLOCATE ALL");
  expect(await db.execute(DOUBLE, [21])).toEqual([["42"]]);
  expect(await createDatabase({ pool }).execute(DOUBLE, [1])).toEqual([["2"]]);
  expect(db.counters.nameless).toBe(1);
  expect(await db.execute(PREPARED, [])).toEqual([]);
});

test("names that are taken already (42P05) are given up", async () => {
  await pool.query(`PREPARE ${DOUBLE.name} (int) AS ${DOUBLE.text}`);
  expect(await db.execute(DOUBLE, [21])).toEqual([["42"]]);
  expect(db.counters).toMatchObject({ nameless: 1, errors: 0 });
});

test("in a transaction, all of it is repeated without names", async () => {
  await db.execute(DOUBLE, [1]);
  await pool.query("DEALLOCATE ALL");
  let runs = 0;
  const result = await db.transaction(async (tx) => {
    runs += 1;
    return tx.execute(DOUBLE, [21]);
  });
  expect([result, runs]).toEqual([[["42"]], 2]);
});

test("a transaction without retry does not depend on names", async () => {
  await db.execute(DOUBLE, [1]);
  await pool.query("DEALLOCATE ALL");
  expect(await db.transaction((tx) => tx.execute(DOUBLE, [21]), { retry: false })).toEqual([
    ["42"],
  ]);
});

test("a plan that a migration has made stale is repeated, and names stay in use", async () => {
  const all = statement("star", "SELECT * FROM statement_names");
  await pool.query("CREATE TABLE statement_names (a text)");
  try {
    await pool.query("INSERT INTO statement_names VALUES ('x')");
    expect(await db.execute(all, [])).toEqual([["x"]]);
    await pool.query("ALTER TABLE statement_names ADD b text DEFAULT 'y'");
    expect(await db.execute(all, [])).toEqual([["x", "y"]]);
    // The connection with the old plan is gone, so it is not met again.
    expect(await db.execute(all, [])).toEqual([["x", "y"]]);
    expect(db.counters.nameless).toBe(1);
    await db.execute(DOUBLE, [2]);
    expect(await db.execute(PREPARED, [])).toEqual([[DOUBLE.name]]);
  } finally {
    await pool.query("DROP TABLE statement_names");
  }
});
