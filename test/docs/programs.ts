/**
 * The TypeScript in README.md and docs/*.md, as programs. The blocks of a page that carry the same
 * word after `ts` are one program, in their order, so that a page can build on what it has shown;
 * a block without a word belongs to the page's own program. The word `sketch` means: check the
 * types, do not run. So does `quickstart`: scripts/try-package.mjs runs that one as a user would, and
 * kills it. A ```text block shows what the program before it prints.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Program {
  /** `docs/guide.md`, or `README.md: embedded`. */
  readonly name: string;
  readonly code: string;
  readonly runs: boolean;
  /** What it must print, in this order. */
  readonly prints: readonly string[];
}

export const repository: string = fileURLToPath(new URL("../..", import.meta.url));

/** README.md and every page of docs/. */
export function pages(): string[] {
  const docs = readdirSync(new URL("../../docs", import.meta.url)).sort();
  return [
    "README.md",
    ...docs.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ];
}

export function readPage(page: string): string {
  return readFileSync(new URL(`../../${page}`, import.meta.url), "utf8");
}

/** The programs of a page, by the words of their blocks. */
export function programsOf(page: string, markdown: string): Program[] {
  const programs = new Map<string, { code: string[]; prints: string[] }>();
  let last: { prints: string[] } | undefined;
  let sketches = 0;
  for (const [, info = "", body = ""] of markdown.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)) {
    const [language, given = ""] = info.trim().split(/\s+/);
    if (language === "text") last?.prints.push(body.trim());
    last = undefined;
    if (language !== "ts" && language !== "typescript") continue;
    // Sketches have nothing to do with each other.
    if (given === "sketch") sketches += 1;
    const word = given === "sketch" ? `sketch ${sketches}` : given;
    const program = programs.get(word) ?? { code: [], prints: [] };
    programs.set(word, program);
    program.code.push(body);
    last = program;
  }
  return [...programs].map(([word, { code, prints }]) => ({
    name: word === "" ? page : `${page}: ${word}`,
    code: code.join("\n"),
    runs: !word.startsWith("sketch") && word !== "quickstart",
    prints,
  }));
}
