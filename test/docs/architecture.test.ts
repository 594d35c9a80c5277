/** docs/architecture.md, held against the tree: the parts are there, and imports point down its list. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { TREE } from "../../src/values/parameters.ts";
import { readPage, repository } from "./programs.ts";

const page = readPage("docs/architecture.md");

/** The parts of src/ from top to bottom: folders and single files. */
const parts = [...page.matchAll(/^\| `src\/([\w.-]+)\/?` \|/gm)].map(([, part = ""]) => part);

/** Every file of src/, as `storage/writer.ts`. */
const files = readdirSync(join(repository, "src"), { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));

const partOf = (file: string): string => file.split("/")[0] ?? "";

test("every part of src/ has its line", () => {
  const there = new Set(files.map(partOf).filter((part) => part !== "index.ts"));
  expect([...there].filter((part) => !parts.includes(part))).toEqual([]);
});

test("imports point down the list", () => {
  const wrong = files
    .filter((file) => file !== "index.ts")
    .flatMap((file) => {
      const text = readFileSync(join(repository, "src", file), "utf8");
      const imported = [...text.matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)].map(([, path = ""]) =>
        posix.join(posix.dirname(file), path),
      );
      return imported
        .filter((path) => parts.indexOf(partOf(path)) < parts.indexOf(partOf(file)))
        .map((path) => `${file} imports ${path}`);
    });
  expect(files.length).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
});

test("every file that it names is there", () => {
  const named = [...page.matchAll(/`((?:src|migrations|test)\/[\w/-]+\/?[\w-]+\.(?:ts|sql))`/g)];
  const missing = named
    .map(([, path = ""]) => path)
    // The list of parts tells the places of those to come, too.
    .filter((path) => path.split("/").length > 2 || !parts.includes(path.slice("src/".length)))
    .filter((path) => !existsSync(join(repository, path)));
  expect(named.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

test("its numbers are those of the code", () => {
  expect(page).toContain(`An element of ${TREE.ownLeaf} characters`);
  expect(page).toContain(`outgrows ${TREE.maxRootIds},`);
  expect(page).toContain(`up to ${TREE.inlineLimit.toLocaleString("en-US")} characters`);
});
