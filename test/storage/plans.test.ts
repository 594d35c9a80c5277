/**
 * A connection settles on a plan when it has run a statement a few times, which may be while the
 * tables are still empty, and keeps it as they grow, until the server looks at them again.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TableNames, tableNames } from "../../src/postgres/index.ts";
import type { Statement } from "../../src/postgres/statement.ts";
import { readStatements } from "../../src/storage/read-statements.ts";
import { writeStatements } from "../../src/storage/write-statements.ts";
import { servers } from "../support/backends.ts";
import { type Engine, openEngine } from "./engine.ts";

const OF_SOME_THREADS = [
  "latest",
  "latestOfEach",
  "byId",
  "chunks",
  "writesOn",
  "deltaHistory",
  "thread",
] as const;

function statementsOf(names: TableNames): Record<string, Statement> {
  const reads = readStatements(names, false);
  return {
    ...writeStatements(names),
    ...Object.fromEntries(OF_SOME_THREADS.map((name) => [name, reads[name]])),
  };
}

describe.each(servers)("plans that are made for empty tables on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  const all = Object.keys(statementsOf(tableNames("s", "t")));
  test.each(all)("%s looks rows up by their keys", async (name) => {
    const names = tableNames(engine.backend.schema, "checkpoints");
    const { text } = statementsOf(names)[name] as Statement;
    const count = Math.max(...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
    const client = await engine.backend.pool.connect();
    try {
      await client.query({ text: "SET plan_cache_mode = force_generic_plan" });
      await client.query({ text: `PREPARE probe AS ${text}` });
      const unknown = Array.from({ length: count }, () => "NULL").join(", ");
      const { rows } = await client.query({ text: `EXPLAIN EXECUTE probe(${unknown})` });
      const plan = rows.map((row) => (row as Record<string, string>)["QUERY PLAN"]).join("\n");
      expect(plan).toContain("cost=");
      expect(plan).not.toContain("Seq Scan");
    } finally {
      await client.query({ text: "DEALLOCATE ALL; RESET plan_cache_mode" });
      client.release();
    }
  });
});
