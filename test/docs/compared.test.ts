/** What README.md says of the official package is so, of the version that it says it of. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PostgresSaver as OfficialSaver } from "@langchain/langgraph-checkpoint-postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { readPage } from "./programs.ts";

const NAME = "@langchain/langgraph-checkpoint-postgres";
const official = createRequire(import.meta.url).resolve(`${NAME}/package.json`);
const manifest = JSON.parse(readFileSync(official, "utf8"));
const schema = "compared";

let pool: pg.Pool;
let saver: OfficialSaver;
beforeAll(async () => {
  pool = new pg.Pool({ connectionString: inject("postgres")["18"] });
  saver = new OfficialSaver(pool, undefined, { schema });
  await saver.setup();
});
afterAll(async () => {
  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  await pool.end();
});

/** A checkpoint whose channel `text` has that value, at that version. */
const checkpoint = (id: string, text: string, version: number) => ({
  v: 4,
  id,
  ts: new Date(0).toISOString(),
  channel_values: { text },
  channel_versions: { text: version },
  versions_seen: {},
});
const put = (threadId: string, id: string, text: string, version: number) =>
  saver.put(
    { configurable: { thread_id: threadId, checkpoint_ns: "" } },
    checkpoint(id, text, version),
    { source: "loop", step: 1, parents: {} },
    { text: version },
  );
const read = async (threadId: string, id?: string) =>
  (await saver.getTuple({ configurable: { thread_id: threadId, checkpoint_id: id } }))?.checkpoint;

test("its version", () => {
  expect(readPage("README.md")).toContain(
    `\`langgraph-checkpoint-postgres\`][js] ${manifest.version} `,
  );
  expect(manifest.engines.node).toBe(">=18");
  expect(Object.keys(manifest.exports)).toContain("./store");
});

test("two branches read the first one's value where their versions are the same number", async () => {
  expect([saver.getNextVersion(3), saver.getNextVersion(3)]).toEqual([4, 4]);
  await put("forks", "1", "left", 4);
  await put("forks", "2", "right", 4);
  expect((await read("forks", "2"))?.channel_values).toEqual({ text: "left" });
});

test("a put is three statements and one for each changed channel", async () => {
  const client = await pool.connect();
  client.release();
  const query = vi.spyOn(pg.Client.prototype, "query");
  await put("statements", "1", "a", 1);
  expect(query).toHaveBeenCalledTimes(4);
});

test("the latest is the one with the highest id", async () => {
  await put("order", "2", "written first", 1);
  await put("order", "1", "written last", 2);
  expect((await read("order"))?.id).toBe("2");
});

test("a pool of its own has nobody who handles the loss of an idle connection", async () => {
  const own = OfficialSaver.fromConnString("postgres://nobody@localhost:1/none");
  expect((own as unknown as { pool: pg.Pool }).pool.listenerCount("error")).toBe(0);
  await own.end();
});
