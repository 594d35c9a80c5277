/** docs/errors.md knows every code, and every code knows its class. */
import { describe, expect, test } from "vitest";
import * as errors from "../../src/errors.ts";
import { readPage } from "./programs.ts";

type Code = keyof typeof errors.ERROR_CODES;
const codes = Object.keys(errors.ERROR_CODES) as Code[];
const page = readPage("docs/errors.md");

/** Every class that src/errors.ts exports, by its name there. */
const classes = Object.entries(errors).filter(
  (entry): entry is [string, typeof errors.LangGraphPostgresError] =>
    typeof entry[1] === "function" && /Error$/.test(entry[0]),
);

/** Class → codes, as the page's table has them. */
const table = new Map(
  [...page.matchAll(/^\| `(\w+Error)` \| (.+) \|$/gm)].map(([, name = "", cell = ""]) => [
    name,
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code as Code),
  ]),
);

/** The text under each heading that is a code. */
const sections = new Map(
  page.split(/^(?=##)/m).flatMap((section) => {
    const heading = /^### ([A-Z_]+)\n/.exec(section)?.[1];
    return heading === undefined ? [] : [[heading, section] as const];
  }),
);

test("every code has a section, and every section a code", () => {
  expect([...sections.keys()].sort()).toEqual([...codes].sort());
});

test.each(codes)("%s: the page says cause and cure", (code) => {
  expect(sections.get(code)).toMatch(/\*\*Cause\.\*\* \S[\s\S]{30,}\*\*Cure\.\*\* \S[\s\S]{20,}/);
});

test("every code is one class's, and every class is there", () => {
  expect([...table.values()].flat().sort()).toEqual([...codes].sort());
  expect([...table.keys()].sort()).toEqual(classes.map(([name]) => name).sort());
});

/** Classes whose code is given to them. */
const GIVEN: ReadonlySet<string> = new Set([
  "LangGraphPostgresError",
  "SchemaError",
  "DatabaseError",
  "TransferError",
  "DecryptionError",
]);

describe.each(classes)("%s", (name, Class) => {
  test.each(table.get(name) ?? [])("with code %s", (code) => {
    const cause = new Error("cause");
    const Own = Class as unknown as new (
      message: string,
      options: object,
    ) => errors.LangGraphPostgresError;
    const error = GIVEN.has(name) ? new Class(code, "what", { cause }) : new Own("what", { cause });
    expect(error).toBeInstanceOf(errors.LangGraphPostgresError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, code, message: "what", cause });
    expect(String(error)).toBe(`${name}: what`);
  });
});

test("a duplicate is the database's word, and has its SQLSTATE", () => {
  const error = new errors.DuplicateCheckpointError("twice", { sqlState: "23505" });
  expect(error).toBeInstanceOf(errors.DatabaseError);
  expect(error.sqlState).toBe("23505");
  expect(new errors.DatabaseError("CONNECTION_FAILED", "gone").sqlState).toBeUndefined();
});
