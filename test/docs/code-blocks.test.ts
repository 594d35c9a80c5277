/** Every TypeScript block that readers may copy has right types, and does what its page says. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import * as exported from "../../src/index.ts";
import { pages, programsOf, readPage, repository } from "./programs.ts";
import { publicSymbols } from "./public-comments.ts";

const programs = pages().flatMap((page) => programsOf(page, readPage(page)));
const symbols = publicSymbols();
const examples = symbols
  .flatMap((symbol) => symbol.examples)
  .map(({ name, code }, i) => ({ name: `${name} example ${i}`, code }));

/** What examples in comments may use without a word: everything exported, and a program around them. */
const AROUND = `
import type { StateGraph } from "@langchain/langgraph";
declare global {
  var store: import("langgraph-postgres").PostgresCheckpointStore;
  var builder: StateGraph<object>;
  var graph: ReturnType<typeof builder.compile>;
  var input: object;
  var config: { configurable: { thread_id: string } };
  ${Object.keys(exported)
    .map((name) => `var ${name}: typeof import("langgraph-postgres").${name};`)
    .join("\n  ")}
}
`;

/** In the repository, so that the blocks find its packages; ignored by git. */
const folder = join(repository, "test-results", `docs-${process.pid}`);
const fileOf = (name: string): string =>
  join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}.ts`);

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  for (const { name, code } of [...programs, ...examples]) {
    writeFileSync(fileOf(name), `${code}\nexport {};\n`);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says to a program, under the settings of this repository. */
function complaints(files: readonly string[]): string[] {
  const config = ts.readConfigFile(join(repository, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository);
  const program = ts.createProgram(files, { ...options, noUnusedLocals: false });
  return files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(({ messageText, start = 0 }) => {
      const { line = 0 } = source?.getLineAndCharacterOfPosition(start) ?? {};
      const text = ts.flattenDiagnosticMessageText(messageText, "\n");
      return `${file}:${line + 1}: ${text}\n    ${source?.text.split("\n")[line]}`;
    });
  });
}

describe("blocks are found and put together", () => {
  test("by their words, with what they print", () => {
    const page = [
      "```ts\nconst a = 1;\n```",
      "```ts other\nb();\n```",
      "```text\nb was here\n```",
      "```sql\nSELECT 1\n```",
      "```text\nnobody's\n```",
      "```ts\nconsole.log(a);\n```",
      "```ts sketch\nc();\n```",
    ].join("\n\n");
    expect(programsOf("p.md", page)).toEqual([
      { name: "p.md", code: "const a = 1;\n\nconsole.log(a);\n", runs: true, prints: [] },
      { name: "p.md: other", code: "b();\n", runs: true, prints: ["b was here"] },
      { name: "p.md: sketch 1", code: "c();\n", runs: false, prints: [] },
    ]);
  });

  test("in README.md and in the guide", () => {
    const names = programs.map(({ name }) => name);
    expect(names).toContain("README.md: quickstart");
    expect(names).toContain("README.md: server");
    expect(names).toContain("docs/guide.md");
    expect(programs.some(({ prints }) => prints.length > 0)).toBe(true);
  });
});

test("classes and functions that users import have an example", () => {
  const shown = symbols.filter(({ examples }) => examples.length > 0).map(({ name }) => name);
  const wanted = symbols.filter(
    ({ name, kind }) =>
      kind === "function" || (kind === "class" && !/(?<!LangGraphPostgres)Error$/.test(name)),
  );
  expect(symbols.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(exported)));
  expect(wanted.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual([]);
  expect(examples.length).toBeGreaterThan(15);
});

test("all blocks and examples have right types", { timeout: 120_000 }, () => {
  const wrong = join(folder, "wrong.ts");
  writeFileSync(
    wrong,
    'import { PostgresSaver } from "langgraph-postgres";\nnew PostgresSaver(7);\n',
  );
  const around = join(folder, "around.ts");
  writeFileSync(around, AROUND);
  const found = complaints([
    ...[...programs, ...examples].map(({ name }) => fileOf(name)),
    around,
    wrong,
  ]);
  // The compiler really does look: a wrong program is seen among the right ones.
  expect(found.filter((text) => text.startsWith(wrong))).toHaveLength(1);
  expect(found.filter((text) => !text.startsWith(wrong))).toEqual([]);
});

describe.each(programs.filter((program) => program.runs))("$name", ({ name, prints }) => {
  const database = `docs_${randomUUID().slice(0, 8)}`;
  const home = process.cwd();
  const given = process.env.DATABASE_URL;
  const work = `${fileOf(name)}.folder`;
  let admin: ReturnType<typeof exported.createPool>;

  beforeAll(async () => {
    // A database and a folder of its own: the pages use the default schema and relative paths.
    const url = new URL(inject("postgres")["18"]);
    admin = exported.createPool({ connString: url.href, maxConns: 1 });
    await admin.query(`CREATE DATABASE ${database}`);
    url.pathname = database;
    process.env.DATABASE_URL = url.href;
    mkdirSync(work);
    process.chdir(work);
  });
  afterAll(async () => {
    process.chdir(home);
    if (given === undefined) delete process.env.DATABASE_URL;
    else process.env.DATABASE_URL = given;
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.end();
  });

  test("runs, twice in a row, and prints what the page says", { timeout: 120_000 }, async () => {
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...parts) => void printed.push(parts.join(" ")));
    for (const turn of [1, 2]) await import(/* @vite-ignore */ `${fileOf(name)}?turn=${turn}`);
    const output = printed.join("\n");
    for (const text of prints) expect(output).toContain(text);
    // What a page prints, it shows.
    if (printed.length > 0) expect(prints.length, output).toBeGreaterThan(0);
  });
});
