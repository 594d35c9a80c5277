import { describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../src/errors.ts";
import { MAX_SUFFIX_BYTES } from "../../src/postgres/identifiers.ts";
import {
  createDatabase,
  quoteIdentifier,
  statement,
  tableNames,
} from "../../src/postgres/index.ts";
import { backends } from "../support/backends.ts";

const LONGEST_TABLE = 63 - MAX_SUFFIX_BYTES;
const names = [
  ["my-schema", "my-table"],
  ['quo"te"d', `it's "here"`],
  ["CamelCase", "CAPITALS"],
  ["with space", " led and trailed "],
  ["select", "table"],
  ["ünïcödé", "表😀"],
  ["$1; drop table x; --", "\\ % ?"],
  ["s".repeat(63), "t".repeat(LONGEST_TABLE)],
  ["é".repeat(31), "é".repeat(Math.floor(LONGEST_TABLE / 2))],
] as const;

describe.each(backends)("on $name", (backend) => {
  test("case 38: names with dashes, quotes, capitals, spaces and 63 bytes are taken literally", async () => {
    const opened = await backend.open();
    const db = createDatabase({ pool: opened.pool });
    for (const [schema, table] of names) {
      const { checkpoints, migrations, schema: quoted } = tableNames(schema, table);
      await db.execute(statement("schema", `CREATE SCHEMA ${quoted}`), []);
      await db.execute(statement("table", `CREATE TABLE ${checkpoints} (a text)`), []);
      await db.execute(statement("table", `CREATE TABLE ${migrations} (a text)`), []);
      const found = await db.execute(
        statement(
          "find",
          `SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace =
             (SELECT oid FROM pg_namespace WHERE nspname = $1) ORDER BY length(relname)`,
        ),
        [schema],
      );
      expect(found).toEqual([[table], [`${table}_migrations`]]);
      await db.execute(statement("drop", `DROP SCHEMA ${quoted} CASCADE`), []);
    }
    await db.close();
    await opened.close();
  });
});

test("case 38: a name that is too long in bytes is an error that says the limit", () => {
  expect(() => tableNames("s".repeat(64), "t")).toThrow(/schema is 64 bytes.*63/);
  expect(() => tableNames("é".repeat(32), "t")).toThrow(/schema is 64 bytes/);
  expect(() => tableNames("s", "t".repeat(LONGEST_TABLE + 1))).toThrow(
    new RegExp(`tableName is ${LONGEST_TABLE + 1} bytes.*${LONGEST_TABLE}`),
  );
  expect(() => tableNames("s", "é".repeat(LONGEST_TABLE / 2 + 1))).toThrow(InvalidOptionError);
});

test("case 38: what no identifier can hold is an error", () => {
  for (const bad of ["", "a\0b", "\ud800", 7 as unknown as string]) {
    expect(() => tableNames(bad, "t")).toThrow(InvalidOptionError);
    expect(() => tableNames("s", bad)).toThrow(InvalidOptionError);
  }
  expect(() => quoteIdentifier("a\0b")).toThrow(InvalidOptionError);
});
