import { PostgresSaver as OfficialSaver } from "@langchain/langgraph-checkpoint-postgres";
import { describe, expect, it } from "vitest";
import { createDatabase, createPool, tableNames } from "../../src/postgres/index.ts";
import {
  compareManifest,
  getSchemaVersion,
  migrate,
  migrateTo,
  pendingMigrations,
  requireSchema,
} from "../../src/schema/index.ts";
import { backends, servers } from "../support/backends.ts";
import { type Fixture, insertCheckpoint, LATEST, useDatabase } from "./fixture.ts";

/** Everything in the schema, rows of migrations included: equal when nothing was touched. */
async function everything({ sql, names }: Fixture): Promise<unknown> {
  const catalog =
    await sql(`SELECT c.oid::text, c.relname::text, c.relkind::text, c.relfilenode::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = '${names.schemaName}' ORDER BY c.oid`);
  const hasBooks = catalog.some((one) => one.relname === `${names.tableName}_migrations`);
  return [catalog, hasBooks ? await sql(`SELECT * FROM ${names.migrations}`) : []];
}

describe.each(backends)("what migrate refuses on $name", (backend) => {
  const database = useDatabase(backend);

  it("case 43: a database that a newer package has migrated", async () => {
    const at = database.current;
    const { db, names, sql } = at;
    await migrate(db, names);
    await sql(
      `INSERT INTO ${names.migrations} (version, name) VALUES (${LATEST + 1}, 'from_the_future')`,
    );
    const before = await everything(at);
    const refusal = {
      code: "SCHEMA_TOO_NEW",
      message: expect.stringMatching(`version ${LATEST + 1}.*up to ${LATEST}.*Nothing was changed`),
    };
    await expect(migrate(db, names)).rejects.toMatchObject(refusal);
    await expect(migrateTo(db, names, 0, { allowDataLoss: true })).rejects.toMatchObject(refusal);
    await expect(pendingMigrations(db, names)).rejects.toMatchObject(refusal);
    await expect(requireSchema(db, names)).rejects.toMatchObject(refusal);
    expect(await getSchemaVersion(db, names)).toBe(LATEST + 1);
    expect(await compareManifest(db, names)).toMatchObject([
      { message: /newer than this package/ },
    ]);
    expect(await everything(at)).toEqual(before);
  });

  it.each([
    ["a table under the name of ours", "TABLE", "checkpoints", "(id int)"],
    ["a table under the name of a companion", "TABLE", "checkpoints_writes", "(id int)"],
    ["a view", "VIEW", "checkpoints_threads", "AS SELECT 1 AS thread_id"],
    ["a sequence", "SEQUENCE", "checkpoints_values", ""],
    ["books of another kind", "TABLE", "checkpoints_migrations", "(v int)"],
    [
      "a table with our columns but without our books",
      "TABLE",
      "checkpoints_chunks",
      "(thread_id text, chunk_id uuid, payload bytea, children uuid[])",
    ],
  ])("case 43: %s", async (_, kind, relation, definition) => {
    const at = database.current;
    const { db, names, sql } = at;
    await sql(`CREATE SCHEMA ${names.schema}`);
    await sql(`CREATE ${kind} ${names.schema}.${relation} ${definition}`);
    const before = await everything(at);
    const refusal = {
      code: "FOREIGN_TABLES",
      message: expect.stringMatching(new RegExp(`"${relation}".*(not created by|belongs to)`)),
    };
    await expect(migrate(db, names)).rejects.toMatchObject(refusal);
    await expect(getSchemaVersion(db, names)).rejects.toMatchObject(refusal);
    await expect(requireSchema(db, names)).rejects.toMatchObject(refusal);
    expect(await compareManifest(db, names)).toEqual([
      { severity: "error", message: expect.stringContaining(relation) },
    ]);
    expect(await everything(at)).toEqual(before);
  });

  it("case 43: a table of ours that was replaced by somebody else's", async () => {
    const { db, names, sql } = database.current;
    await migrate(db, names);
    await sql(`DROP TABLE ${names.checkpoints}`);
    await expect(migrate(db, names)).rejects.toMatchObject({ code: "TABLES_MISSING" });
    await expect(requireSchema(db, names)).rejects.toMatchObject({ code: "TABLES_MISSING" });
    await sql(`CREATE TABLE ${names.checkpoints} (execution_id text, node_name text, state jsonb,
      "timestamp" timestamptz)`);
    await expect(migrate(db, names)).rejects.toMatchObject({
      code: "FOREIGN_TABLES",
      message: expect.stringContaining("belongs to langgraphgo"),
    });
  });

  it("mends tables that are gone by going down to 0 and up again", async () => {
    const { db, names, sql } = database.current;
    await migrate(db, names);
    await sql(`DROP TABLE ${names.checkpoints}`);
    await migrateTo(db, names, 0);
    await migrate(db, names);
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("lets two stores whose names do not overlap share a schema", async () => {
    const { db, names } = database.current;
    const other = tableNames(names.schemaName, "checkpoints_2");
    await migrate(db, names);
    await migrate(db, other);
    await migrateTo(db, names, 0);
    expect(await compareManifest(db, other)).toEqual([]);
    // `checkpoints_2` has a companion `checkpoints_2_threads`, which is another store's main table.
    await expect(
      migrate(db, tableNames(names.schemaName, "checkpoints_2_threads")),
    ).rejects.toMatchObject({ code: "FOREIGN_TABLES" });
  });
});

describe.each(servers)("other packages and roles on $name", (backend) => {
  const database = useDatabase(backend);

  it.each(["checkpoints", "checkpoint"])(
    "case 43: the official package's tables, for a tableName %s",
    async (table) => {
      const at = database.current;
      const { db, connString = "" } = at;
      const schema = at.names.schemaName;
      const official = OfficialSaver.fromConnString(connString, { schema });
      await official.setup();
      await official.end();
      const before = await everything(at);
      await expect(migrate(db, tableNames(schema, table))).rejects.toMatchObject({
        code: "FOREIGN_TABLES",
        message: expect.stringContaining("belongs to @langchain/langgraph-checkpoint-postgres"),
      });
      expect(await everything(at)).toEqual(before);
    },
  );

  /** Runs `work` as a role that may log in and nothing else. */
  async function asRole(
    at: Fixture,
    work: (role: string, db: ReturnType<typeof createDatabase>) => Promise<void>,
  ): Promise<void> {
    const role = `role_${at.names.schemaName}`;
    await at.sql(`CREATE ROLE "${role}" LOGIN PASSWORD 'secret'`);
    const url = new URL(at.connString ?? "");
    url.username = role;
    url.password = "secret";
    const pool = createPool({ connString: url.href, maxConns: 4 });
    try {
      await work(role, createDatabase({ pool }));
    } finally {
      await pool.end();
      await at.sql(`DROP OWNED BY "${role}" CASCADE`);
      await at.sql(`DROP ROLE "${role}"`);
    }
  }

  it("case 37: a role that owns the schema but may not create schemas", async () => {
    const at = database.current;
    await asRole(at, async (role, db) => {
      await expect(migrate(db, at.names)).rejects.toMatchObject({
        code: "MIGRATION_FAILED",
        message: expect.stringMatching(/Creating the schema .* permission denied/),
        cause: { sqlState: "42501" },
      });
      await at.sql(`CREATE SCHEMA ${at.names.schema} AUTHORIZATION "${role}"`);
      expect(await migrate(db, at.names)).toMatchObject({ from: 0, to: LATEST });
      expect(await compareManifest(db, at.names)).toEqual([]);
      await at.sql(insertCheckpoint(at.names));
      await migrateTo(db, at.names, 1);
      await migrate(db, at.names);
      expect(await compareManifest(db, at.names)).toEqual([]);
    });
  });

  it("case 37: a role that may only read and write rows finds nothing to do", async () => {
    const at = database.current;
    await migrate(at.db, at.names);
    await asRole(at, async (role, db) => {
      await at.sql(`GRANT USAGE ON SCHEMA ${at.names.schema} TO "${role}"`);
      await at.sql(`GRANT SELECT, INSERT, UPDATE, DELETE
        ON ALL TABLES IN SCHEMA ${at.names.schema} TO "${role}"`);
      expect(await migrate(db, at.names)).toMatchObject({ applied: [] });
      await expect(migrateTo(db, at.names, 1)).rejects.toMatchObject({
        code: "MIGRATION_FAILED",
        cause: { sqlState: "42501" },
      });
      expect(await getSchemaVersion(db, at.names)).toBe(LATEST);
    });
  });
});
