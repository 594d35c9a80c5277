import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { tableNames } from "../../src/postgres/index.ts";
import { differences } from "../../src/schema/compare-manifest.ts";
import { compareManifest, migrate, readManifest } from "../../src/schema/index.ts";
import { backends, servers } from "../support/backends.ts";
import { LATEST, useDatabase } from "./fixture.ts";

const COMMITTED = new URL("../../migrations/schema-manifest.json", import.meta.url);

describe.each(backends)("the manifest on $name", (backend) => {
  const database = useDatabase(backend);

  it("is the committed one, to the byte; renew it with `npm run schema:manifest`", async () => {
    const { db, names } = database.current;
    await migrate(db, names);
    const text = `${JSON.stringify(await readManifest(db, names), null, 2)}\n`;
    expect(text).toBe(await readFile(COMMITTED, "utf8"));
  });

  it("is the same for other names", async () => {
    const { db, names, sql } = database.current;
    await migrate(db, names);
    const other = tableNames(names.schemaName, 'Check "points"');
    await migrate(db, other);
    expect(await readManifest(db, other)).toEqual(await readManifest(db, names));
    await sql(`ALTER TABLE ${other.threads} ADD COLUMN note text`);
    expect(await compareManifest(db, names)).toEqual([]);
  });

  it("tells only what to call where the tables are missing or old", async () => {
    const { db, names } = database.current;
    expect(await compareManifest(db, names)).toMatchObject([{ message: /do not exist.*setup/ }]);
    await migrate(db, names, { to: 1 });
    expect(await compareManifest(db, names)).toMatchObject([
      {
        severity: "error",
        message: expect.stringMatching(`version 1 of ${LATEST}.*migrateSchema`),
      },
    ]);
  });
});

// The embedded database is a PostgreSQL 18.
describe.each(servers)("differences on $name", (backend) => {
  const database = useDatabase(backend);

  it.each([
    ["ALTER TABLE :threads DROP COLUMN lease_owner", "error", /column lease_owner is missing/],
    ["ALTER TABLE :writes ALTER COLUMN idx TYPE bigint", "error", /idx is bigint.*be integer/],
    [
      "ALTER TABLE :writes ALTER COLUMN task_path TYPE text",
      "error",
      /task_path is text NOT NULL.*COLLATE "C"/,
    ],
    ["ALTER TABLE :values ALTER COLUMN type DROP NOT NULL", "error", /column type is/],
    ["ALTER TABLE :threads ALTER COLUMN last_seq DROP DEFAULT", "error", /last_seq is bigint/],
    ["ALTER TABLE :chunks ADD COLUMN note text", "notice", /note is not one of this package's/],
    ["ALTER TABLE :chunks ADD COLUMN note int NOT NULL", "error", /note is not one of this/],
    ["ALTER TABLE :chunks ADD CHECK (payload IS NOT NULL)", "error", /constraint chunks_.*CHECK/],
    ["ALTER TABLE :chunks SET UNLOGGED", "error", /unlogged is not one of/],
    ["ALTER TABLE :threads RESET (fillfactor)", "notice", /storage parameter fillfactor is miss/],
    ["ALTER TABLE :threads SET (fillfactor = 90)", "notice", /fillfactor is 90.*be 70/],
    ["CREATE INDEX mine ON :checkpoints (node_name)", "notice", /index mine is not one of/],
    ["CREATE UNIQUE INDEX mine ON :checkpoints (node_name)", "error", /mine.*UNIQUE btree/],
    [
      "CREATE INDEX mine ON :checkpoints (seq NULLS FIRST) INCLUDE (version) WHERE seq > 1",
      "notice",
      /btree \(seq NULLS FIRST\) INCLUDE \(version\) WHERE \(seq > 1\)/,
    ],
    ["DROP TABLE :chunks CASCADE", "error", /_chunks" is missing/],
  ])("tells of %s", async (text, severity, message) => {
    const { db, names, sql } = database.current;
    await migrate(db, names);
    const table = /:([a-z]+)/.exec(text)?.[1] as "threads";
    await sql(text.replace(`:${table}`, names[table]));
    const found = await compareManifest(db, names);
    expect(found.filter((one) => one.severity === severity)).toEqual([
      { severity, message: expect.stringMatching(message) },
    ]);
    expect(found.every((one) => one.message.includes(names.schema))).toBe(true);
  });
});

describe("differences", () => {
  it("of equal pictures are none", () => {
    const table = { columns: { a: "int" }, indexes: {}, constraints: {}, options: {} };
    const names = tableNames("s", "t");
    expect(differences(names, { threads: table }, { threads: table })).toEqual([]);
  });
});
