/** `npm start`: the agent that is killed, and the demo's own judgement of how it went on. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createPool } from "../../src/index.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

interface Shown {
  code: number;
  text: string;
}

/** Where the demos run: not the repository, and a place for temporary files that nobody else uses. */
let elsewhere: string;
beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), "langgraph-postgres-test-"));
});
afterAll(async () => {
  const left = readdirSync(elsewhere).filter((name) => name.includes("demo"));
  await rm(elsewhere, { recursive: true, force: true });
  expect(left, "files that the demos left behind").toEqual([]);
});

function npmStart(environment: Readonly<Record<string, string>> = {}): Promise<Shown> {
  const { DATABASE_URL: _, NO_COLOR: __, FORCE_COLOR: ___, ...inherited } = process.env;
  const env = { ...inherited, TMPDIR: elsewhere, ...environment };
  const args = ["start", "--silent", "--prefix", repository];
  return new Promise((resolve) => {
    execFile("npm", args, { cwd: elsewhere, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

/** Process, step and node of every line of the timeline, and whether it ends in a size. */
function timeline(text: string): string[] {
  const lines = text.matchAll(
    /^([ABC]) +(\d+) {2}(\w+) +(.+?) +\d+\.\d\d s +([\d,]+ B|SIGKILL)$/gm,
  );
  return [...lines].map(([, process, step, node, what, stored]) =>
    [process, step, node, what, ...(stored === "SIGKILL" ? [stored] : [])].join(" "),
  );
}

const EXPECTED = [
  "A 1 model wants find_order",
  "A 2 tool find_order: espresso machine, 389 €",
  "A 3 model wants read_policy, check_stock, ask_carrier",
  "A 4 tool check_stock: none left",
  "A 4 tool read_policy: refund within 30 days",
  "A 4 tool ask_carrier … SIGKILL",
  "B 4 tool ask_carrier: dropped in transit",
  "B 5 model wants issue_refund",
  "B 6 approval waits for a human",
  "C 6 approval approved",
  "C 7 tool issue_refund: 389 € sent back",
  "C 8 model answers the customer",
];

function expectTheWholeStory({ code, text }: Shown): void {
  // The two parallel tools of A may end in either order.
  expect(timeline(text).sort(), text).toEqual([...EXPECTED].sort());
  expect(text).toContain("goes on in step 4: 2 of 3 tasks stored, 1 to do");
  expect(text).toContain("brings the answer to step 6");
  expect(text).not.toContain("✗");
  expect(text.match(/^✓/gm)).toHaveLength(5);
  expect(text).not.toContain("\u001b["); // Colours are for terminals.
  expect(code).toBe(0);
  for (const line of shownInReadme()) expect(text).toMatch(line);
}

/** What README.md shows of the timeline, times and sizes left out. */
function shownInReadme(): RegExp[] {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const [, shown = ""] = /^```text\n(A .*?)^```$/ms.exec(readme) ?? [];
  const lines = shown.split("\n").filter(Boolean);
  expect(lines.length).toBeGreaterThan(3);
  return lines.map((line) => new RegExp(`^${line.replace(/process \d+/, "process \\d+")}`, "m"));
}

async function schemasLeft(connString: string): Promise<unknown[]> {
  const pool = createPool({ connString, maxConns: 1 });
  try {
    const found = await pool.query(
      "SELECT nspname FROM pg_namespace WHERE nspname ~ '^langgraph_demo'",
    );
    return found.rows;
  } finally {
    await pool.end();
  }
}

describe.concurrent("npm start, from another directory", { timeout: 240_000 }, () => {
  test("on embedded PostgreSQL: killed, resumed, approved, finished", async () => {
    const shown = await npmStart();
    expectTheWholeStory(shown);
    expect(shown.text).toContain("PostgreSQL in the process (PGlite)");
  });

  test("on a server: the same, and nothing is left behind", async () => {
    const url = inject("postgres")["18"];
    const shown = await npmStart({ DATABASE_URL: url });
    expectTheWholeStory(shown);
    expect(shown.text).not.toContain(decodeURIComponent(new URL(url).password));
    expect(shown.text).not.toContain(new URL(url).password);
    expect(await schemasLeft(url)).toEqual([]);
  });

  test("says no where what a finished task wrote was lost between kill and resume", async () => {
    const url = inject("postgres")["14"];
    const { code, text } = await npmStart({ DATABASE_URL: url, DEMO_SABOTAGE: "writes" });
    expect(text).toMatch(
      /✗ \d+ pieces of work[^✓]+tool (check_stock|read_policy) ran in A and in B/,
    );
    expect(code).toBe(1);
    expect(await schemasLeft(url)).toEqual([]);
  });
});
