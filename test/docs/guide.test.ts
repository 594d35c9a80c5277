/** The tables of docs/guide.md, held against the code. */
import { expect, test } from "vitest";
import { resolveSettings, SETTINGS } from "../../src/options.ts";
import { MAX_IDENTIFIER_BYTES, tableNames } from "../../src/postgres/identifiers.ts";
import { MAX_BYTES } from "../../src/storage/names.ts";
import { MAX_DEPTH } from "../../src/values/parameters.ts";
import { readPage } from "./programs.ts";

const guide = readPage("docs/guide.md");

/** The rows of the table under a heading: their cells, without backquotes. */
function rowsUnder(heading: string): string[][] {
  const section = guide.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = [...section.matchAll(/^\|(.+)\|$/gm)].map(([, line = ""]) => line.split("|"));
  // Two lines of head.
  return lines.slice(2).map((cells) => cells.map((cell) => cell.replaceAll("`", "").trim()));
}

test("every setting is there, with its default", () => {
  const rows = rowsUnder("Settings");
  expect(rows.map(([name]) => name).sort()).toEqual([...SETTINGS].sort());
  const { ttl, deadline, cacheBytes, ...rest } = resolveSettings({});
  const defaults = Object.fromEntries(rows.map(([name, value]) => [name, value]));
  expect(ttl).toEqual({ threads: null, checkpoints: null, refresh: "write" });
  expect(defaults).toEqual({
    ...Object.fromEntries(
      Object.entries(rest).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    ttl: "nothing expires",
    encryption: "nothing is sealed",
    deadline: `"${deadline / 1000}s"`,
    cacheBytes: `${cacheBytes.toLocaleString("en-US")} (${cacheBytes / 1024 / 1024} MiB)`,
  });
});

test("the limits are those of the code", () => {
  const { schema, tableName, ...names } = Object.fromEntries(
    rowsUnder("Limits").map(([name, bytes = ""]) => [name, Number(bytes.replace(",", ""))]),
  );
  expect(names).toEqual(MAX_BYTES);
  expect(schema).toBe(MAX_IDENTIFIER_BYTES);
  expect(() => tableNames("s", "x".repeat(tableName ?? 0))).not.toThrow();
  expect(() => tableNames("s", "x".repeat((tableName ?? 0) + 1))).toThrow("tableName");
  expect(guide).toContain(`${MAX_DEPTH.toLocaleString("en-US")} levels`);
});

test("pages link only to what is there", () => {
  const anchors = [...guide.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor);
  const headings = [...guide.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(" ", "-"),
  );
  expect(anchors).toEqual(headings);
});
