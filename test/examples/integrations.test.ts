/** Every example of examples/*.ts runs, on a server and without one, and prints what it should. */
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { createPool } from "../../src/index.ts";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  "approval.ts": ["asks: Refund 389 €?", "tool: refunded", "ai: Your money is on its way."],
  "functional.ts": [
    "drafting tea",
    "drafting coffee",
    "All about tea. All about coffee. (well done)",
  ],
  "interval.ts": [
    "100 updates streamed, 2 checkpoints stored",
    "the last of 101 messages: line 100",
  ],
  "kysely.ts": ['[{"thread":"ada","text":"Hello Ada"}]'],
  "react-agent.ts": [
    'before tools: refund {"amount":389}? yes',
    "tool: refunded 389 €",
    "ai: Your money is on its way.",
    'before tools: refund {"amount":9000}? no',
    "tool: a human refused",
    "ai: I cannot refund that.",
  ],
  "subgraphs.ts": ["inside: payment", "asks: Charge tea?", "tea: charged, shipped"],
  "supervisor.ts": [
    "asks: Book it for 412 €?",
    "namespaces: , booker, researcher, supervisor",
    "You fly at 09:40.",
    "Then you stay at home.",
  ],
  "tenant-tables.ts": [
    "acme: Hello from acme. That was message 1.",
    "globex: Hello from globex. That was message 1.",
    "acme: Hello from acme. That was message 1. And again. That was message 3.",
    "acme_checkpoints_threads, globex_checkpoints_threads",
    "acme_checkpoints_threads",
  ],
  "time-travel.ts": ["An ode to tea", "An ode to coffee", "An ode to coffee; An ode to tea"],
  "worker-pool.ts": ["4 runs of 4 jobs", "THREAD_CONFLICT"],
};

/** Not programs: what the others share. */
const SHARED = ["database.ts", "scripted.ts"];

test("no example is left out", () => {
  const files = readdirSync(new URL("../../examples", import.meta.url));
  const programs = files.filter((name) => name.endsWith(".ts") && !SHARED.includes(name));
  expect(programs.sort()).toEqual(Object.keys(EXPECTED));
});

describe.each(["a server", "memory"])("on %s", (place) => {
  const database = `examples_${randomUUID().slice(0, 8)}`;
  let admin: ReturnType<typeof createPool> | undefined;
  beforeAll(async () => {
    if (place === "memory") {
      delete process.env.DATABASE_URL;
      useTemplate(() => readFile(inject("embeddedTemplate")));
      return;
    }
    const url = new URL(inject("postgres")["18"]);
    admin = createPool({ connString: url.href, maxConns: 1 });
    await admin.query(`CREATE DATABASE ${database}`);
    url.pathname = database;
    process.env.DATABASE_URL = url.href;
  });
  afterAll(async () => {
    delete process.env.DATABASE_URL;
    await admin?.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin?.end();
  });

  test.each(Object.entries(EXPECTED))("%s", async (file, expected) => {
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...parts: unknown[]) => {
      const text = (part: unknown) => (typeof part === "string" ? part : JSON.stringify(part));
      printed.push(parts.map(text).join(" "));
    });
    await import(new URL(`../../examples/${file}?on=${place}`, import.meta.url).href);
    expect(printed).toEqual(expected);
  });
});
