/** Links inside the repository lead somewhere. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { pages, readPage, repository } from "./programs.ts";

/** What GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (page: string): string[] =>
  [...readPage(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));

const all = [
  ...pages(),
  ...readdirSync(repository).filter((name) => /^[A-Z]+\.md$/.test(name) && name !== "README.md"),
];

test.each(all)("%s", (page) => {
  const text = readPage(page).replaceAll(/^```.*?^```$/gms, "");
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const broken = links.filter((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(repository, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test("every page of docs/ is in README's list", () => {
  const readme = readPage("README.md");
  const missing = pages().filter((page) => page !== "README.md" && !readme.includes(`](${page})`));
  expect(missing).toEqual([]);
});
