import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { MAX_IDENTIFIER_BYTES, tableNames } from "../../src/postgres/index.ts";
import {
  loadMigrations,
  MIGRATIONS_FOLDER,
  parseMigration,
  readMigrations,
} from "../../src/schema/migration-files.ts";
import { fillTokens } from "../../src/schema/migration-sql.ts";

const UP_AND_DOWN = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";

describe("the format of a migration", () => {
  it("takes statements apart at a `;` that ends a line, and drops comments", () => {
    const text = `-- why
-- migrate:up
-- a comment; it has one
CREATE TABLE :{threads} (
  note text DEFAULT 'a;b'
);

SELECT 1;
-- migrate:down
DROP TABLE :{threads};`;
    expect(parseMigration("0007_some_words.sql", text)).toEqual({
      version: 7,
      name: "some_words",
      up: ["CREATE TABLE :{threads} (\n  note text DEFAULT 'a;b'\n)", "SELECT 1"],
      down: ["DROP TABLE :{threads}"],
      lossyDown: [],
      concurrent: null,
    });
  });

  it("reads its directives", () => {
    const text = `-- migrate:lossy-down threads chunks\n-- migrate:no-transaction values x_idx\n${UP_AND_DOWN}`;
    const migration = parseMigration("0001_a.sql", text);
    expect(migration.lossyDown).toEqual(["threads", "chunks"]);
    expect(migration.concurrent).toEqual({ table: "values", suffix: "x_idx" });
  });

  it.each([
    ["1_a.sql", UP_AND_DOWN, "name is not like"],
    ["0001_A.sql", UP_AND_DOWN, "name is not like"],
    ["0001_a.sql", "-- migrate:up\nSELECT 1;\n", "needs an up and a down"],
    ["0001_a.sql", "-- migrate:down\nSELECT 1;\n", "needs an up and a down"],
    ["0001_a.sql", UP_AND_DOWN.replace("2;", "2"), "lacks its `;`"],
    ["0001_a.sql", `SELECT 0;\n${UP_AND_DOWN}`, "before `-- migrate:up`"],
    ["0001_a.sql", `-- migrate:notransaction\n${UP_AND_DOWN}`, "unknown directive notransaction"],
    ["0001_a.sql", `-- migrate:lossy-down thread\n${UP_AND_DOWN}`, "unknown table thread"],
    ["0001_a.sql", `-- migrate:no-transaction values\n${UP_AND_DOWN}`, "table and index"],
    [
      "0001_a.sql",
      `-- migrate:no-transaction values x_idx\n${UP_AND_DOWN}SELECT 3;\n`,
      "one statement each way",
    ],
  ])("refuses %s: %#", (name, text, words) => {
    expect(() => parseMigration(name, text)).toThrow(words);
  });

  it("refuses a gap in the numbers and a missing folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "migrations-"));
    try {
      const url = pathToFileURL(`${folder}/`);
      await writeFile(join(folder, "0001_a.sql"), UP_AND_DOWN);
      await writeFile(join(folder, "notes.md"), "not a migration");
      expect(await readMigrations(url)).toHaveLength(1);
      await writeFile(join(folder, "0003_c.sql"), UP_AND_DOWN);
      await expect(readMigrations(url)).rejects.toThrow("should have number 2");
      await expect(readMigrations(new URL("none/", url))).rejects.toMatchObject({
        code: "MIGRATION_FAILED",
        cause: { code: "ENOENT" },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the migrations of this package", () => {
  it("parse, and leave no token behind", async () => {
    const names = tableNames("s", "t");
    const migrations = await loadMigrations();
    expect(await readMigrations(MIGRATIONS_FOLDER)).toEqual(migrations);
    for (const { up, down } of migrations) {
      for (const text of [...up, ...down]) expect(fillTokens(text, names)).not.toMatch(/:\{/);
    }
  });

  it("derive no identifier that PostgreSQL would cut, from the longest table name there may be", async () => {
    const names = tableNames("s", "t".repeat(39));
    for (const { up } of await loadMigrations()) {
      for (const text of up) {
        for (const [, name] of fillTokens(text, names).matchAll(/"([^"]+)"/g)) {
          expect(Buffer.byteLength(name ?? "")).toBeLessThanOrEqual(MAX_IDENTIFIER_BYTES);
        }
      }
    }
  });

  it("do without what distributed PostgreSQL refuses", async () => {
    for (const { up } of await loadMigrations()) {
      for (const text of up) {
        expect(text).not.toMatch(/REFERENCES|TRIGGER|SEQUENCE|SERIAL|IDENTITY|FUNCTION/i);
        // Every key of a table with rows of threads begins with the thread.
        if (text.startsWith("CREATE TABLE") && !text.includes(":{migrations}")) {
          expect(text).toMatch(/PRIMARY KEY \(thread_id/);
        }
      }
    }
  });
});

describe("tokens", () => {
  it("become names in one pass: a name that looks like a token stays a name", () => {
    const names = tableNames(":{threads}", "$&$1'\"x");
    expect(fillTokens("a :{schema} :{chunks} :{name_pkey} :{index_x_idx}", names)).toBe(
      'a ":{threads}" ":{threads}"."$&$1\'""x_chunks" "$&$1\'""x_pkey" ":{threads}"."$&$1\'""x_x_idx"',
    );
  });

  it("say whether an index is built concurrently", () => {
    const names = tableNames("s", "t");
    expect(fillTokens("CREATE INDEX :{concurrently} i", names, true)).toContain("CONCURRENTLY");
    expect(fillTokens("CREATE INDEX :{concurrently} i", names, false)).not.toContain(
      "CONCURRENTLY",
    );
  });

  it("are refused when unknown", () => {
    expect(() => fillTokens(":{thread}", tableNames("s", "t"))).toThrow("unknown token");
  });
});
