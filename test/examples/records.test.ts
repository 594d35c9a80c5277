/** The examples of the record face: each checks itself; here they run, on a server and embedded. */
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { createPool } from "../../src/index.ts";

const folder = fileURLToPath(new URL("../../examples/records/", import.meta.url));
const names = readdirSync(folder).filter((name) => name !== "open.ts");

test("there are examples", () => {
  expect(names).toContain("save-and-load.ts");
});

async function printed(name: string, where: string): Promise<string> {
  const lines: unknown[] = [];
  vi.spyOn(console, "log").mockImplementation((...parts) => void lines.push(...parts));
  await import(/* @vite-ignore */ `${join(folder, name)}?on=${where}`);
  return lines.map(String).join("\n");
}

describe("embedded", () => {
  beforeAll(() => void vi.stubEnv("DATABASE_URL", ""));
  test.each(names)("%s", async (name) => expect(await printed(name, "embedded")).not.toBe(""));
});

describe("on a server", () => {
  const url = new URL(inject("postgres")["18"]);
  const admin = createPool({ connString: url.href, maxConns: 1 });
  const database = `examples_${randomUUID().slice(0, 8)}`;
  beforeAll(async () => {
    await admin.query(`CREATE DATABASE ${database}`);
    url.pathname = database;
  });
  afterAll(async () => {
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.end();
  });

  test.each(names)("%s", async (name) => {
    vi.stubEnv("DATABASE_URL", url.href);
    expect(await printed(name, "server")).not.toBe("");
  });
});
