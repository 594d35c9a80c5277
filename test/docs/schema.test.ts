/** docs/schema.md: its tables are the migrations', and its queries find what they say. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PostgresCheckpointStore } from "../../src/index.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { eventually } from "../support/wait.ts";
import { readPage } from "./programs.ts";

interface Table {
  readonly columns: Readonly<Record<string, string>>;
  readonly indexes: Readonly<Record<string, string>>;
}
const manifest: Readonly<Record<string, Table>> = JSON.parse(
  readFileSync(new URL("../../migrations/schema-manifest.json", import.meta.url), "utf8"),
);
const page = readPage("docs/schema.md");

/** The first two cells of a section's rows, without backquotes. */
const rowsOf = (section: string): Record<string, string> =>
  Object.fromEntries(
    [...section.matchAll(/^\| `([^`]+)` \| `([^`]+)` \|/gm)].map(([, name, what]) => [name, what]),
  );
const sectionOf = (heading: string): string =>
  page.split(`\n${heading}\n`)[1]?.split(/^##/m)[0] ?? "";

test.each(Object.keys(manifest))("the columns of %s are those that migrations make", (table) => {
  const rows = rowsOf(sectionOf(`### ${table}`));
  expect(Object.entries(rows)).toEqual(Object.entries(manifest[table]?.columns ?? {}));
});

test("the indexes are those that migrations make", () => {
  const made = Object.assign({}, ...Object.values(manifest).map(({ indexes }) => indexes));
  expect(rowsOf(sectionOf("## Indexes"))).toEqual(made);
});

/** Each query by the words before it. */
const queries = new Map(
  sectionOf("## SQL for operators")
    .split(/^```\n/m)
    .flatMap((part): [string, string][] => {
      const [before = "", sql] = part.split("```sql\n");
      return sql === undefined ? [] : [[before.trim().split("\n\n").at(-1) ?? "", sql]];
    }),
);

describe.each(["18", "14"] as const)("the queries on PostgreSQL %s", (version) => {
  const database = `schema_page_${randomUUID().slice(0, 8)}`;
  const url = new URL("postgres://to-be-told");
  let admin: pg.Client;
  let client: pg.Client;
  let store: PostgresCheckpointStore;

  beforeAll(async () => {
    url.href = inject("postgres")[version];
    admin = new pg.Client(url.href);
    await admin.connect();
    await admin.query(`CREATE DATABASE ${database}`);
    url.pathname = database;
    client = new pg.Client(url.href);
    await client.connect();
    store = await PostgresCheckpointStore.connect({
      connString: url.href,
      autoMigrate: true,
      telemetry: false,
    });
    const graph = chatGraph({ checkpointer: store.checkpointer });
    for (const [id, bytes] of Object.entries({ 42: 20_000, 43: 2000 })) {
      const text = randomBytes(bytes).toString("base64");
      await graph.invoke({ messages: [text] }, { configurable: { thread_id: id } });
    }
    const past = new Date(Date.now() - 1000);
    await store.save({ id: "old", threadId: "44", state: 1, expiresAt: past });
  });
  afterAll(async () => {
    await store.close();
    await client.end();
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.end();
  });

  const ask = async (words: string): Promise<Record<string, unknown>[]> => {
    const [found] = [...queries].filter(([key]) => key.startsWith(words));
    if (!found) throw new Error(`docs/schema.md has no query "${words}"`);
    return (await client.query(found[1].replaceAll(":'thread'", "'42'"))).rows;
  };

  test("every one of them runs", async () => {
    expect(queries.size).toBe(page.match(/^```sql$/gm)?.length);
    for (const words of queries.keys()) await ask(words);
  });

  test("sizes: of tables, of a thread, of the largest", async () => {
    expect((await ask("Size of each table")).map(({ table }) => table).sort()).toEqual(
      Object.keys(manifest)
        .map((key) => (key === "checkpoints" ? key : `checkpoints_${key}`))
        .sort(),
    );
    const [{ bytes } = {}] = await ask("Size of one thread");
    expect(Number(bytes)).toBeGreaterThan(20_000);
    const whole = (await store.getThread("42"))?.bytes ?? 0;
    expect(Number(bytes)).toBeGreaterThan(0.8 * whole);
    expect(Number(bytes)).toBeLessThan(whole);
    expect((await ask("The largest threads"))[0]).toMatchObject({ thread_id: "42" });
  });

  test("a thread: when, what, and its small values", async () => {
    const active = await ask("Threads that were active last");
    expect(active.map(({ thread_id }) => thread_id)).toEqual(["44", "43", "42"]);
    const timeline = await ask("The timeline of a thread");
    expect(timeline.map(({ step }) => step)).toEqual(["-1", "0", "1"]);
    expect(timeline[0]).toMatchObject({ source: "input", parent_checkpoint_id: null });
    const values = await ask("The text of a small value");
    expect(values).toContainEqual(expect.objectContaining({ channel: "turns", value: "1" }));
  });

  test("what has expired", async () => {
    expect(await ask("What has expired")).toEqual([{ threads: "0", checkpoints: "1" }]);
  });

  test("who waits for whom, and who holds locks", async () => {
    const [holder, waiter] = [new pg.Client(url.href), new pg.Client(url.href)];
    await Promise.all([holder.connect(), waiter.connect()]);
    const lock = "SELECT FROM langgraph.checkpoints_threads WHERE thread_id = '42' FOR UPDATE";
    await holder.query("BEGIN");
    await holder.query(lock);
    const waits = waiter.query(lock);
    try {
      await eventually("a wait is seen", async () => (await ask("Who waits")).length === 1);
      const [{ for_pid } = {}] = await ask("Who waits");
      const held = await ask("Who holds locks");
      expect(held.find(({ pid }) => pid === for_pid)?.locks).toMatch(
        /checkpoints_threads RowShareLock/,
      );
    } finally {
      await holder.query("ROLLBACK");
      await waits;
      await Promise.all([holder.end(), waiter.end()]);
    }
  });

  test("leases", async () => {
    const lease = await store.acquireThread("43");
    expect(await ask("Leases")).toMatchObject([{ thread_id: "43" }]);
    await lease.release();
    expect(await ask("Leases")).toEqual([]);
  });
});
