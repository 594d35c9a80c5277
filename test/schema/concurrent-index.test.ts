import { describe, expect, it } from "vitest";
import { createDatabase, createPool } from "../../src/postgres/index.ts";
import { changeConcurrently } from "../../src/schema/concurrent-index.ts";
import {
  compareManifest,
  dropMetadataIndex,
  ensureMetadataIndex,
  getSchemaVersion,
  migrate,
  migrateTo,
  planMigration,
} from "../../src/schema/index.ts";
import { letGoOfSnapshot, withMigrationLock } from "../../src/schema/migration-lock.ts";
import { fillTokens } from "../../src/schema/migration-sql.ts";
import { backends, servers } from "../support/backends.ts";
import { type Fixture, insertCheckpoint, LATEST, until, useDatabase } from "./fixture.ts";

/** Whether an index of that suffix is there, and valid. */
async function indexState({ names, sql }: Fixture, suffix: string): Promise<string> {
  const rows = await sql(`SELECT indisvalid FROM pg_index WHERE indexrelid =
    to_regclass('"${names.schemaName}"."${names.tableName}_${suffix}"')`);
  return rows[0] === undefined ? "missing" : rows[0].indisvalid === "t" ? "valid" : "invalid";
}

/** Cancels the build of an index of `T` as soon as it waits; answers how many it cancelled. */
async function cancelBuild({ sql, names }: Fixture): Promise<void> {
  await until(async () => {
    const rows = await sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE query LIKE '%CREATE INDEX CONCURRENTLY%${names.schemaName}%'
        AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`);
    return rows.length > 0;
  });
}

/** An INVALID index, as a crash leaves one: cancelled while another transaction held it back. */
async function leaveInvalid(at: Fixture): Promise<void> {
  const { names, connect } = at;
  const writer = await connect();
  await writer.sql("BEGIN");
  await writer.sql(insertCheckpoint(names, "held back"));
  const builder = await connect();
  const building = builder
    .sql(
      `CREATE INDEX CONCURRENTLY "${names.tableName}_created_idx" ON ${names.checkpoints} (thread_id)`,
    )
    .catch(() => {});
  await cancelBuild(at);
  await building;
  await writer.sql("ROLLBACK");
  expect(await indexState(at, "created_idx")).toBe("invalid");
}

describe.each(servers)("indexes built concurrently on $name", (backend) => {
  const database = useDatabase(backend, true);

  it("replaces the INVALID index that a crash has left", async () => {
    const at = database.current;
    await migrateTo(at.db, at.names, 1);
    await at.sql(insertCheckpoint(at.names));
    await leaveInvalid(at);
    await migrate(at.db, at.names);
    expect(await compareManifest(at.db, at.names)).toEqual([]);
  });

  it("replaces it also where the table is empty and the build needs no CONCURRENTLY", async () => {
    const at = database.current;
    await migrateTo(at.db, at.names, 1);
    await leaveInvalid(at);
    await migrate(at.db, at.names);
    expect(await compareManifest(at.db, at.names)).toEqual([]);
  });

  it("reports an INVALID index, and one that is gone", async () => {
    const at = database.current;
    await migrate(at.db, at.names);
    await at.sql(`DROP INDEX "${at.names.schemaName}"."${at.names.tableName}_created_idx"`);
    expect(await compareManifest(at.db, at.names)).toMatchObject([
      { severity: "error", message: expect.stringContaining("index created_idx is missing") },
    ]);
    await leaveInvalid(at);
    expect(await compareManifest(at.db, at.names)).toMatchObject([
      { severity: "error", message: expect.stringContaining("INVALID") },
    ]);
  });

  it("does not shut writers out while it builds and drops", async () => {
    const { db, names, connect, sql } = database.current;
    await migrateTo(db, names, 1);
    await sql(insertCheckpoint(names));
    for (const target of [2, 1]) {
      // A writer whose transaction is open holds the change back …
      const writer = await connect();
      await writer.sql("BEGIN");
      await writer.sql(insertCheckpoint(names, `first of ${target}`));
      const migrating = migrateTo(db, names, target);
      await until(async () => {
        const rows = await sql(`SELECT 1 FROM pg_stat_activity
          WHERE query LIKE '%INDEX CONCURRENTLY%${names.schemaName}%' AND wait_event_type = 'Lock'
            AND pid <> pg_backend_pid()`);
        return rows.length > 0;
      });
      // … and others write meanwhile.
      const second = await connect();
      await second.sql("SET lock_timeout = '1s'");
      await second.sql(insertCheckpoint(names, `second of ${target}`));
      await writer.sql("COMMIT");
      expect(await migrating).toMatchObject({ to: target });
    }
  });

  it("gives up when a transaction holds it back too long, names it, and leaves no INVALID index", async () => {
    const at = database.current;
    const { db, names, connect, sql } = at;
    await migrateTo(db, names, 1);
    await sql(insertCheckpoint(names));
    const reader = await connect();
    await reader.sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await reader.sql("SELECT 1");
    const pid = await reader.client.query({ text: "SELECT pg_backend_pid()::text AS pid" });
    await expect(migrate(db, names, { lockTimeout: 700 })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining((pid.rows[0] as { pid: string }).pid),
      cause: { sqlState: "57014" },
    });
    expect(await getSchemaVersion(db, names)).toBe(1);
    expect(await indexState(at, "created_idx")).toBe("missing");
    await reader.sql("COMMIT");
    await migrate(db, names);
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("a first set-up does not wait for other people's transactions", async () => {
    const { db, names, connect } = database.current;
    const backup = await connect();
    await backup.sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await backup.sql("SELECT 1");
    await migrate(db, names, { lockTimeout: 1_000 });
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("begins the build again when its connection is cut", async () => {
    const { db, names, connect, sql } = database.current;
    await migrateTo(db, names, 1);
    await sql(insertCheckpoint(names));
    const writer = await connect();
    await writer.sql("BEGIN");
    await writer.sql(insertCheckpoint(names, "2"));
    const migrating = migrate(db, names);
    await until(async () => {
      const rows = await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE '%INDEX CONCURRENTLY%${names.schemaName}%' AND wait_event_type = 'Lock'
          AND pid <> pg_backend_pid()`);
      return rows.length > 0;
    });
    await writer.sql("COMMIT");
    expect(await migrating).toMatchObject({ from: 1, to: LATEST });
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("fails at once, and leaves nothing, where the rows do not allow the index", async () => {
    const at = database.current;
    const { db, names, sql } = at;
    await migrateTo(db, names, 1);
    await sql(insertCheckpoint(names, "1"));
    await sql(insertCheckpoint(names, "2"));
    const text = fillTokens(
      "CREATE UNIQUE INDEX :{concurrently} IF NOT EXISTS :{name_x_key} ON :{checkpoints} (thread_id)",
      names,
      true,
    );
    const change = { names, suffix: "x_key", text, wanted: "valid" } as const;
    const lock = { names, of: "tables", what: "The test", lockTimeout: 60_000 } as const;
    const before = db.counters.statements;
    await expect(
      withMigrationLock(db, lock, async (tx) => {
        await letGoOfSnapshot(tx);
        await changeConcurrently(db, change, 60_000);
      }),
    ).rejects.toMatchObject({ code: "MIGRATION_FAILED", cause: { sqlState: "23505" } });
    expect(await indexState(at, "x_key")).toBe("missing");
    expect(db.counters.statements - before).toBeLessThan(15);
  });

  it("is planned only where there are rows", async () => {
    const { db, names, sql } = database.current;
    await migrateTo(db, names, 1);
    const texts = async (): Promise<string> =>
      (await planMigration(db, names)).statements.join("\n");
    expect(await texts()).not.toContain("CONCURRENTLY");
    await sql(insertCheckpoint(names));
    expect(await texts()).toContain("CREATE INDEX CONCURRENTLY");
  });

  it("is not tried where the pool has too few connections for it", async () => {
    const { db, names, sql, connString = "" } = database.current;
    await migrateTo(db, names, 1);
    await sql(insertCheckpoint(names));
    for (const maxConns of [1, 2]) {
      const pool = createPool({ connString, maxConns });
      try {
        const few = createDatabase({ pool });
        const { statements } = await planMigration(few, names);
        expect(statements.join("\n")).not.toContain("CONCURRENTLY");
        await migrate(few, names);
        expect(await compareManifest(few, names)).toEqual([]);
        await migrateTo(few, names, 1);
      } finally {
        await pool.end();
      }
    }
  });
});

describe.each(backends)("the index on metadata on $name", (backend) => {
  const database = useDatabase(backend);

  it.each([0, 1])("is created and dropped on request, with %i rows", async (rows) => {
    const at = database.current;
    const { db, names, sql } = at;
    await migrate(db, names);
    if (rows > 0) await sql(insertCheckpoint(names));
    for (let round = 0; round < 2; round += 1) {
      await ensureMetadataIndex(db, names);
      expect(await indexState(at, "metadata_idx")).toBe("valid");
      expect(await compareManifest(db, names)).toEqual([]);
    }
    for (let round = 0; round < 2; round += 1) {
      await dropMetadataIndex(db, names);
      expect(await indexState(at, "metadata_idx")).toBe("missing");
    }
  });

  it("needs the tables", async () => {
    const { db, names } = database.current;
    await expect(ensureMetadataIndex(db, names)).rejects.toMatchObject({ code: "TABLES_MISSING" });
  });
});
