import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { createDatabase, createPool } from "../../src/postgres/index.ts";
import type { MigrateResult } from "../../src/schema/index.ts";
import { compareManifest, getSchemaVersion, migrate, migrateTo } from "../../src/schema/index.ts";
import { lockKey } from "../../src/schema/migration-lock.ts";
import { servers } from "../support/backends.ts";
import {
  type Fixture,
  insertCheckpoint,
  LATEST,
  until,
  useDatabase,
  versionsFrom,
} from "./fixture.ts";

const PROCESS = fileURLToPath(new URL("migrate-process.ts", import.meta.url));

function processArguments({ connString = "", names }: Fixture): string[] {
  return ["--import", "tsx", PROCESS, connString, names.schemaName, names.tableName];
}

/** As many migrators as `count`, each with a pool of its own. */
async function migrateAtOnce(at: Fixture, count: number): Promise<MigrateResult[]> {
  const pools = Array.from({ length: count }, () =>
    createPool({ connString: at.connString ?? "", maxConns: 4 }),
  );
  try {
    // Connected beforehand, so that they really begin together.
    await Promise.all(pools.map((pool) => pool.query("SELECT 1")));
    return await Promise.all(pools.map((pool) => migrate(createDatabase({ pool }), at.names)));
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
}

/** Every migration was applied exactly once, whoever did it. */
function expectOnce(results: readonly MigrateResult[], versions: readonly number[]): void {
  const applied = results.flatMap((result) => result.applied.map((one) => one.version));
  expect(applied.sort()).toEqual(versions);
  for (const { to } of results) expect(to).toBe(LATEST);
}

describe.each(servers)("many migrators on $name", (backend) => {
  const database = useDatabase(backend, true);

  it("case 36: 20 initialise one empty database at once, schema included", async () => {
    const at = database.current;
    expectOnce(await migrateAtOnce(at, 20), versionsFrom(1));
    expect(await compareManifest(at.db, at.names)).toEqual([]);
  });

  it("case 36: 20 initialise one database where indexes are built concurrently", async () => {
    const at = database.current;
    await migrateTo(at.db, at.names, 1);
    await at.sql(insertCheckpoint(at.names));
    expectOnce(await migrateAtOnce(at, 20), versionsFrom(2));
    expect(await compareManifest(at.db, at.names)).toEqual([]);
  });

  it("case 36: 20 on one pool", async () => {
    const { db, names } = database.current;
    const all = Array.from({ length: 20 }, () => migrate(db, names));
    expectOnce(await Promise.all(all), versionsFrom(1));
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("gives up with a typed error when another migrator keeps the lock", async () => {
    const { db, names, connect } = database.current;
    const other = await connect();
    await other.sql("BEGIN");
    await other.sql(`SELECT pg_advisory_xact_lock(${lockKey(names, "tables")})`);
    await expect(migrate(db, names, { lockTimeout: 300 })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringMatching(/waited 0.3 s for another process/),
    });
    await other.sql("COMMIT");
    await migrate(db, names, { lockTimeout: 5_000 });
  });

  it("gives up with a typed error when a table stays locked, and has changed nothing", async () => {
    const { db, names, connect } = database.current;
    await migrateTo(db, names, 1);
    const writer = await connect();
    await writer.sql("BEGIN");
    await writer.sql(insertCheckpoint(names));
    await expect(migrate(db, names, { lockTimeout: 300 })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("could not lock a table within 0.3 s"),
      cause: { sqlState: "55P03" },
    });
    expect(await getSchemaVersion(db, names)).toBe(1);
    const migrating = migrate(db, names);
    await writer.sql("ROLLBACK");
    expect(await migrating).toMatchObject({ from: 1, to: LATEST });
  });

  it("goes on when its connection is cut, and applies nothing twice", async () => {
    const { db, names, connect, sql } = database.current;
    await migrateTo(db, names, 1);
    const blocker = await connect();
    await blocker.sql("BEGIN");
    await blocker.sql(`LOCK TABLE ${names.migrations} IN SHARE MODE`);
    const migrating = migrate(db, names);
    const terminated = async (): Promise<boolean> => {
      const rows = await sql(`SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE NOT granted AND relation = '${names.migrations.replaceAll("'", "''")}'::regclass`);
      return rows.length > 0;
    };
    await until(terminated);
    await until(terminated);
    // The index was there when the connection was cut; its record was not.
    await blocker.sql("COMMIT");
    expect(await migrating).toMatchObject({ from: 1, to: LATEST });
    expect(await compareManifest(db, names)).toEqual([]);
  });
});

describe("migrators that are processes", () => {
  const database = useDatabase(servers[0] as (typeof servers)[number]);

  it("case 36: 4 processes initialise one empty database at once", async () => {
    const at = database.current;
    const run = promisify(execFile);
    const results = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { stdout } = await run(process.execPath, processArguments(at));
        return JSON.parse(stdout) as MigrateResult;
      }),
    );
    expectOnce(results, versionsFrom(1));
    expect(await compareManifest(at.db, at.names)).toEqual([]);
  });

  it("killed in the middle of a migration, it leaves the version before it", async () => {
    const at = database.current;
    const { db, names, connect, sql } = at;
    await migrateTo(db, names, 1);
    const blocker = await connect();
    await blocker.sql("BEGIN");
    await blocker.sql(`LOCK TABLE ${names.migrations} IN SHARE MODE`);
    const child = spawn(process.execPath, processArguments(at), { stdio: "ignore" });
    const waiting = `SELECT pid FROM pg_locks
      WHERE NOT granted AND relation = '${names.migrations.replaceAll("'", "''")}'::regclass`;
    await until(async () => (await sql(waiting)).length > 0);
    child.kill("SIGKILL");
    await once(child, "exit");
    await blocker.sql("COMMIT");
    await until(async () => (await sql(waiting)).length === 0);
    expect(await getSchemaVersion(db, names)).toBe(1);
    expect(await compareManifest(db, names)).toMatchObject([
      { message: expect.stringContaining(`version 1 of ${LATEST}`) },
    ]);
    expect(await migrate(db, names)).toMatchObject({ from: 1, to: LATEST });
    expect(await compareManifest(db, names)).toEqual([]);
  });
});
