/** The example service, with real requests: tenants apart, answers streamed, no run cut off by its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createPool } from "../../src/index.ts";

const script = fileURLToPath(new URL("../../examples/service/main.ts", import.meta.url));
const database = `service_${randomUUID().slice(0, 8)}`;
let admin: ReturnType<typeof createPool>;
let child: ChildProcess;
let base: string;

beforeAll(async () => {
  const url = new URL(inject("postgres")["18"]);
  admin = createPool({ connString: url.href, maxConns: 1 });
  await admin.query(`CREATE DATABASE ${database}`);
  url.pathname = database;
  child = spawn(process.execPath, ["--import", "tsx", script], {
    env: { ...process.env, DATABASE_URL: url.href, PORT: "0", TENANTS: "acme,globex" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout as NodeJS.ReadableStream, "data");
  base = String(line).trim();
});
afterAll(async () => {
  child.kill("SIGKILL");
  await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
  await admin.end();
});

const run = (path: string, message: string): Promise<Response> =>
  fetch(`${base}/${path}/runs`, { method: "POST", body: JSON.stringify({ message }) });
const read = async (path: string): Promise<{ messages: string[]; next: string[] }> =>
  (await (await fetch(`${base}/${path}`)).json()) as never;
const streamed = (text: string): string[] =>
  [...text.matchAll(/^event: (\w+)\ndata: ?(.*)$/gm)].map(([, event, data]) => `${event} ${data}`);

const ANSWERS = [
  "answer I read it.",
  "answer I think about it.",
  "answer Here is my answer.",
  "end ",
];

test("a run is streamed step by step, and its thread is its tenant's alone", async () => {
  expect(await read("health")).toEqual({ ok: true });
  const [acme, globex] = await Promise.all([
    run("acme/threads/1", "Hello from acme"),
    run("globex/threads/1", "Hello from globex"),
  ]);
  expect(acme.headers.get("content-type")).toContain("text/event-stream");
  expect(streamed(await acme.text())).toEqual(ANSWERS);
  expect(streamed(await globex.text())).toEqual(ANSWERS);
  const { messages, next } = await read("acme/threads/1");
  expect(messages).toEqual([
    "Hello from acme",
    ...ANSWERS.slice(0, 3).map((line) => line.slice("answer ".length)),
  ]);
  expect(next).toEqual([]);
  expect((await read("globex/threads/1")).messages[0]).toBe("Hello from globex");
  expect((await read("acme/threads/2")).messages).toEqual([]);
  for (const unknown of ["initech/threads/1", "acme"]) {
    expect((await fetch(`${base}/${unknown}`)).status).toBe(404);
  }
});

test("a client that goes away takes nothing with it", async () => {
  const aborted = await run("acme/threads/gone", "Bye");
  await aborted.body?.cancel();
  const deadline = Date.now() + 10_000;
  let count = 0;
  while (count < 4 && Date.now() < deadline) {
    count = (await read("acme/threads/gone")).messages.length;
  }
  expect(count).toBe(4);
});

test("SIGTERM: the run under way is streamed to its end, then the process ends by itself", async () => {
  const response = await run("acme/threads/last", "Quick");
  child.kill("SIGTERM");
  expect(streamed(await response.text())).toEqual(ANSWERS);
  const [code, signal] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  expect([code, signal ?? null]).toEqual([0, null]);
  await expect(fetch(`${base}/health`)).rejects.toThrow();
});
