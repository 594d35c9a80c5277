/** docs/operations.md: its roles can do what the page says, and nothing more. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createPool, PostgresCheckpointStore } from "../../src/index.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { readPage } from "./programs.ts";

const mark = randomUUID().slice(0, 8);
const schema = `roles_${mark}`;
const ROLES = ["agents_owner", "agents_service", "agents_reader"] as const;
const sql = /```sql\n(CREATE ROLE.*?)```/s
  .exec(readPage("docs/operations.md"))?.[1]
  ?.replaceAll("langgraph", schema)
  .replaceAll(/agents_\w+/g, (role) => `${role}_${mark}`);

const admin = createPool({ connString: inject("postgres")["18"], maxConns: 1 });
const open = (role: (typeof ROLES)[number]): Promise<PostgresCheckpointStore> => {
  const url = new URL(inject("postgres")["18"]);
  url.username = `${role}_${mark}`;
  url.password = "secret";
  return PostgresCheckpointStore.connect({ connString: url.href, schema, pool: { maxConns: 2 } });
};
const config = { configurable: { thread_id: "42" } };
const REFUSED = { sqlState: "42501" };

beforeAll(async () => {
  await admin.query(sql ?? "");
  await using owner = await open("agents_owner");
  await owner.initSchema();
});
afterAll(async () => {
  await admin.query(`DROP SCHEMA ${schema} CASCADE`);
  for (const role of ROLES) {
    await admin.query(`DROP OWNED BY ${role}_${mark}`);
    await admin.query(`DROP ROLE ${role}_${mark}`);
  }
  await admin.end();
});

test("the service's role runs graphs, records and retention, and changes no table", async () => {
  await using store = await open("agents_service");
  expect(await store.initSchema()).toMatchObject({ applied: [] });
  const graph = chatGraph({ checkpointer: store.checkpointer });
  for (const turn of [1, 2, 3]) await graph.invoke({ messages: [`${turn}`] }, config);
  await store.save({ id: "1", threadId: "43", state: { done: true }, expiresAt: new Date() });
  expect(await store.cleanupExpired()).toMatchObject({ checkpoints: 1 });
  expect((await store.prune({ all: true, keepLast: 1 })).checkpoints).toBeGreaterThan(0);
  expect((await store.listThreads()).threads.map(({ threadId }) => threadId)).toEqual(["42"]);
  expect((await store.stats()).bytes).toBeGreaterThan(0);
  await using lease = await store.acquireThread("44");
  await store.copyThread("42", "45");
  await store.deleteThreads(["44", "45"]);
  expect(lease.threadId).toBe("44");
  for (const statement of [
    `DROP TABLE ${schema}.checkpoints`,
    `TRUNCATE ${schema}.checkpoints`,
    `ALTER TABLE ${schema}.checkpoints ADD COLUMN x int`,
    `CREATE TABLE ${schema}.mine (x int)`,
  ]) {
    await expect(
      store.transaction((tx) => tx.query(statement)),
      statement,
    ).rejects.toMatchObject(REFUSED);
  }
});

test("the reader's role reads, and writes nothing", async () => {
  await using store = await open("agents_reader");
  const graph = chatGraph({ checkpointer: store.checkpointer });
  expect((await graph.getState(config)).values.messages).toHaveLength(6);
  expect(await store.getThread("42")).toBeDefined();
  await expect(graph.invoke({ messages: ["no"] }, config)).rejects.toMatchObject(REFUSED);
  await expect(store.deleteThread("42")).rejects.toMatchObject(REFUSED);
});
