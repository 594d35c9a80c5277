/** The program of docs/migrating.md that moves records of the Go package. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test, vi } from "vitest";
import { createPool, PostgresCheckpointStore } from "../../src/index.ts";
import { programsOf, readPage, repository } from "./programs.ts";

test("records of the Go package come over", async () => {
  const program = programsOf("", readPage("docs/migrating.md")).find(({ code }) =>
    code.includes("public.checkpoints"),
  );
  const database = `go_${randomUUID().slice(0, 8)}`;
  const url = new URL(inject("postgres")["18"]);
  const admin = createPool({ connString: url.href, maxConns: 1 });
  await admin.query(`CREATE DATABASE ${database}`);
  url.pathname = database;
  vi.stubEnv("DATABASE_URL", url.href);
  const pool = createPool({ connString: url.href });
  // The columns as that package has them; a record of no thread, and pages enough to turn.
  await pool.query(`CREATE TABLE checkpoints AS
    SELECT 'c' || n AS id, 'run-' || n % 2 AS execution_id, CASE n % 2 WHEN 0 THEN 't' ELSE '' END AS thread_id,
      'node' AS node_name, jsonb_build_object('n', n) AS state, NULL::jsonb AS metadata,
      timestamptz '2025-01-01Z' + n * interval '1 s' AS "timestamp", n AS version
    FROM generate_series(1, 1100) n`);
  const file = join(repository, "test-results", `go-${process.pid}.ts`);
  mkdirSync(join(repository, "test-results"), { recursive: true });
  writeFileSync(file, `${program?.code}\nexport {};\n`);
  try {
    await import(/* @vite-ignore */ file);
    const store = PostgresCheckpointStore.fromPool(pool, { telemetry: false });
    const found = await store.listByThread("t");
    expect(found).toHaveLength(550);
    expect(found[0]).toMatchObject({
      ...{ id: "c2", executionId: "run-0", nodeName: "node", version: 2, state: { n: 2 } },
      timestamp: new Date("2025-01-01T00:00:02Z"),
    });
    expect((await store.getLatestByThread("run-1"))?.id).toBe("c1099");
    await store.close();
  } finally {
    rmSync(file);
    await pool.end();
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.end();
  }
});
