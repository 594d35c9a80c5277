/** docs/reliability.md, held against the tests: every case has its row, every row its tests. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPage, repository } from "../docs/programs.ts";
import { CAMPAIGNS } from "../torture/campaigns.ts";

const page = readPage("docs/reliability.md");

/** Case → test files, as the page's table has them. */
const table = new Map(
  [...page.matchAll(/^\| *(\d+) *\| .+ \| (.+) \|$/gm)].map(([, number, cell = ""]) => [
    Number(number),
    [...cell.matchAll(/`(test\/[^`]+)`/g)].map(([, file = ""]) => file),
  ]),
);

const read = (file: string): string => readFileSync(join(repository, file), "utf8");

/** Whether the file has a test or a group of tests whose name begins with the case's number. */
const tests = (file: string, number: number): boolean =>
  new RegExp(`(?:test|describe|it)[^\\n]*\\(\\s*["'\`]case ${number}\\b`).test(read(file));

test("the table has the cases 1 to 43, each with a test", () => {
  expect([...table.keys()]).toEqual(Array.from({ length: 43 }, (_, i) => i + 1));
  expect([...table].filter(([, files]) => files.length === 0)).toEqual([]);
});

test("every file that a row names has a test of that case", () => {
  const wrong = [...table].flatMap(([number, files]) =>
    files.filter((file) => !tests(file, number)).map((file) => `case ${number}: ${file}`),
  );
  expect(wrong).toEqual([]);
});

test("every campaign has its row of promises and its row of counts", () => {
  for (const { name } of CAMPAIGNS) {
    expect(page.match(new RegExp(`^\\| *\`${name}\` *\\|`, "gm")), name).toHaveLength(2);
  }
});

test("every file that it names is there", () => {
  const named = [...page.matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
});
