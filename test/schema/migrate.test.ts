import { describe, expect, it } from "vitest";
import { tableNames } from "../../src/postgres/index.ts";
import {
  compareManifest,
  explainMissingTables,
  getSchemaVersion,
  migrate,
  migrateTo,
  pendingMigrations,
  planMigration,
  readManifest,
  requireSchema,
} from "../../src/schema/index.ts";
import { backends } from "../support/backends.ts";
import { insertCheckpoint, LATEST, MIGRATIONS, useDatabase, versionsFrom } from "./fixture.ts";

const up = MIGRATIONS.map((one) => ({ ...one, direction: "up" }));
const down = up.map((one) => ({ ...one, direction: "down" })).reverse();

describe.each(backends)("migrate on $name", (backend) => {
  const database = useDatabase(backend);

  it("creates schema and tables, then has nothing to do", async () => {
    const { db, names, sql } = database.current;
    expect(await getSchemaVersion(db, names)).toBe(0);
    expect(await pendingMigrations(db, names)).toEqual(up);
    expect(await migrate(db, names)).toEqual({ from: 0, to: LATEST, applied: up });
    expect(await getSchemaVersion(db, names)).toBe(LATEST);
    expect(await pendingMigrations(db, names)).toEqual([]);
    const before = db.counters.statements;
    expect(await migrate(db, names)).toEqual({ from: LATEST, to: LATEST, applied: [] });
    expect(db.counters.statements - before).toBe(2);
    const rows = await sql(`SELECT version, name FROM ${names.migrations} ORDER BY version`);
    expect(rows).toEqual(
      MIGRATIONS.map(({ version, name }) => ({ version: String(version), name })),
    );
  });

  it("sets up in one transaction beside that for the schema, or not at all", async () => {
    const { db, names, sql } = database.current;
    await sql(`CREATE SCHEMA ${names.schema}`);
    // In the way of the last migration, and no table.
    await sql(`CREATE DOMAIN ${names.adoptions} AS int`);
    await expect(migrate(db, names)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringMatching(/^Creating the tables of .* rolled back.*already exists/),
    });
    expect(await getSchemaVersion(db, names)).toBe(0);
    expect(await readManifest(db, names)).toEqual({});
    await sql(`DROP SCHEMA ${names.schema} CASCADE`);
    const before = db.counters.transactions;
    await migrate(db, names);
    expect(db.counters.transactions - before).toBe(2);
  });

  it("takes a table for missing only if it was not created just now, by another process", async () => {
    const { db, names } = database.current;
    await migrateTo(db, names, 6);
    const racing = {
      ...db,
      execute: async (...args: Parameters<typeof db.execute>) => {
        if (args[0].name.startsWith("schema_version")) await migrate(db, names);
        return db.execute(...args);
      },
    };
    expect(await requireSchema(racing, names)).toBeUndefined();
  });

  it("makes what the committed manifest shows", async () => {
    const { db, names } = database.current;
    await migrate(db, names);
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("goes down and up again step by step to the same tables", async () => {
    const { db, names } = database.current;
    await migrate(db, names);
    const before = await readManifest(db, names);
    expect(await migrateTo(db, names, 0)).toEqual({ from: LATEST, to: 0, applied: down });
    expect(await readManifest(db, names)).toEqual({});
    expect(await getSchemaVersion(db, names)).toBe(0);
    for (const version of versionsFrom(1)) {
      await migrateTo(db, names, version);
      expect(await getSchemaVersion(db, names)).toBe(version);
    }
    expect(await readManifest(db, names)).toEqual(before);
  });

  it("refuses to go down where rows would be lost, before the first step, unless told to", async () => {
    const { db, names, sql } = database.current;
    await migrate(db, names);
    await sql(insertCheckpoint(names));
    await expect(migrateTo(db, names, 0)).rejects.toMatchObject({
      code: "DATA_LOSS_REFUSED",
      message: expect.stringContaining("allowDataLoss"),
    });
    expect(await getSchemaVersion(db, names)).toBe(LATEST);
    // An index holds nothing of its own.
    await migrateTo(db, names, 1);
    await expect(migrateTo(db, names, 0)).rejects.toMatchObject({ code: "DATA_LOSS_REFUSED" });
    expect(await sql(`SELECT count(*) FROM ${names.checkpoints}`)).toEqual([{ count: "1" }]);
    await migrateTo(db, names, 0, { allowDataLoss: true });
    expect(await readManifest(db, names)).toEqual({});
  });

  it.each(["threads", "values", "chunks", "writes"] as const)(
    "counts rows of %s as data",
    async (table) => {
      const { db, names, sql } = database.current;
      await migrate(db, names);
      const columns = {
        threads: "(thread_id, generation) VALUES ('t', '00000000-0000-0000-0000-000000000000')",
        values: "(thread_id, channel, version, type) VALUES ('t', 'c', '1', 'json')",
        chunks: "(thread_id, chunk_id) VALUES ('t', '00000000-0000-0000-0000-000000000000')",
        writes:
          "(thread_id, checkpoint_id, task_id, idx, channel, type) VALUES ('t', '1', 'x', 0, 'c', 'json')",
      };
      await sql(`INSERT INTO ${names[table]} ${columns[table]}`);
      await expect(migrateTo(db, names, 0)).rejects.toMatchObject({ code: "DATA_LOSS_REFUSED" });
    },
  );

  it("in a dry run says the statements that it would run, and they do what it does", async () => {
    const { db, names, sql } = database.current;
    const plan = await planMigration(db, names);
    expect(plan).toMatchObject({ from: 0, to: LATEST, steps: up });
    expect(await getSchemaVersion(db, names)).toBe(0);
    for (const text of plan.statements) await sql(text);
    expect(await compareManifest(db, names)).toEqual([]);
    expect((await planMigration(db, names)).statements).toEqual([]);
    const back = await planMigration(db, names, { to: 0 });
    expect(back.steps).toEqual(down);
    for (const text of back.statements) await sql(text);
    expect(await readManifest(db, names)).toEqual({});
  });

  it.each([-1, LATEST + 1, 1.5, Number.NaN, "2"])(
    "refuses version %s before it asks",
    async (to) => {
      const { db, names } = database.current;
      const before = db.counters.statements;
      for (const call of [migrate, planMigration]) {
        await expect(call(db, names, { to: to as number })).rejects.toMatchObject({
          code: "INVALID_OPTION",
          message: expect.stringContaining(`0 to ${LATEST}`),
        });
      }
      expect(db.counters.statements).toBe(before);
    },
  );

  it("explains which call creates missing tables", async () => {
    const { db, names, sql } = database.current;
    const text = `SELECT 1 FROM ${names.threads}`;
    const failure = async (): Promise<unknown> =>
      explainMissingTables(
        await db.execute({ name: "missing", text }, []).catch((error: unknown) => error),
        names,
      );
    const explained = { code: "TABLES_MISSING", message: expect.stringContaining("setup()") };
    expect(await failure()).toMatchObject(explained);
    await expect(requireSchema(db, names)).rejects.toMatchObject(explained);
    await sql(`CREATE SCHEMA ${names.schema}`);
    expect(await failure()).toMatchObject({ ...explained, cause: { sqlState: "42P01" } });
    const other = new Error("another");
    expect(explainMissingTables(other, names)).toBe(other);
    await migrate(db, names);
    await requireSchema(db, names);
  });

  it.each([
    ["dashes-and spaces", "Check points-2"],
    ['quo"tes; DROP TABLE x; --', '"";'],
    [":{threads} $& $1 :schema", "$&:{name_pkey}"],
    ["ünïcödé ✓", "チェック"],
    ["s".repeat(63), "t".repeat(39)],
    ["é".repeat(31), "é".repeat(19)],
  ])("case 38: schema %j, table %j", async (schema, table) => {
    const names = tableNames(schema, table);
    const { db, sql } = database.current;
    try {
      await migrate(db, names);
      expect(await compareManifest(db, names)).toEqual([]);
      await sql(insertCheckpoint(names));
      expect(await migrate(db, names)).toMatchObject({ applied: [] });
      // With a row in it the indexes are dropped and built concurrently where that can be.
      await migrateTo(db, names, 1);
      await migrateTo(db, names, LATEST);
      expect(await compareManifest(db, names)).toEqual([]);
    } finally {
      await sql(`DROP SCHEMA IF EXISTS ${names.schema} CASCADE`);
    }
  });
});
