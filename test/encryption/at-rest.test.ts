/** What the disk holds: the data directory and the write-ahead log of a server of these tests' own. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { HumanMessage } from "@langchain/core/messages";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPool, PostgresCheckpointStore } from "../../src/index.ts";
import { checkpointOf, METADATA, putAll } from "../contract/material.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { type PostgresServer, startServer } from "../support/postgres-server.ts";
import { under } from "./material.ts";

let server: PostgresServer;
let pool: ReturnType<typeof createPool>;
beforeAll(async () => {
  // A page in the log as a whole would be compressed, and so would long values: then nothing is found in either case.
  server = await startServer({
    settings: { wal_compression: "off", default_toast_compression: "pglz" },
  });
  pool = createPool({ connString: server.url(), maxConns: 4 });
});
afterAll(async () => {
  await pool?.end();
  await server?.stop();
});

/** Where the mark stands, one word for each way into the store. */
const WAYS = [
  "state",
  "inline",
  "write",
  "metadata",
  "record",
  "recordmeta",
  "answer",
  "interrupt",
] as const;
const word = (mark: string, way: string): string => `${mark}${way}${mark}`;

/** Puts a word in by every way, short enough not to be compressed. */
async function fill(store: PostgresCheckpointStore, mark: string): Promise<void> {
  const graph = chatGraph({ checkpointer: store.checkpointer, reply: () => word(mark, "answer") });
  const noise = Array.from({ length: 1200 }, () => Math.random().toString(36)[2]).join("");
  const message = new HumanMessage({ id: "1", content: `${word(mark, "state")} ${noise}` });
  const thread = { configurable: { thread_id: mark, checkpoint_ns: "" } };
  await graph.invoke({ messages: [message] }, thread);
  const note = { ...METADATA, note: word(mark, "metadata") };
  await putAll(store.checkpointer, thread, checkpointOf({ turns: 1 }), note as never);
  const at = (await graph.getState(thread)).config;
  await store.checkpointer.putWrites(
    at,
    [
      ["turns", word(mark, "write")],
      ["__interrupt__", { value: word(mark, "interrupt") }],
    ],
    "task",
  );
  await store.save({
    id: mark,
    threadId: mark,
    state: { list: [word(mark, "record")], small: word(mark, "inline") },
    metadata: { note: word(mark, "recordmeta") },
  });
}

/** The ways by which the mark is found in a file of the server, as text, as hex or as base64. */
async function found(mark: string): Promise<{ ways: string[]; bytes: number }> {
  const ways = new Set<string>();
  let bytes = 0;
  const walk = async (folder: string): Promise<void> => {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { isDirectory, size } = await stat(path).then((one) => ({
        isDirectory: one.isDirectory(),
        size: one.size,
      }));
      if (isDirectory) await walk(path);
      else {
        bytes += size;
        const content = await readFile(path);
        for (const way of WAYS) {
          const text = word(mark, way);
          const forms = [text, Buffer.from(text).toString("hex"), Buffer.from(text, "utf16le")];
          if (forms.some((form) => content.includes(form))) ways.add(way);
        }
      }
    }
  };
  for (const part of ["base", "pg_wal"]) await walk(join(server.dataDir, part));
  return { ways: [...ways].sort(), bytes };
}

test("nothing of state, writes, metadata or records is on the disk; without encryption all of it is", async () => {
  const open = async (schema: string, settings: object): Promise<PostgresCheckpointStore> => {
    const store = PostgresCheckpointStore.fromPool(pool, { schema, ...settings });
    await store.initSchema();
    return store;
  };
  const sealed = await open("sealed", under(["a"]));
  const plain = await open("plain", {});
  await fill(sealed, "zqharbour");
  await fill(plain, "zqmeadow");
  await sealed.copyThread("zqharbour", "copy");
  await (await open("sealed", under(["b", "a"]))).reencrypt();
  await pool.query("CHECKPOINT");
  const control = await found("zqmeadow");
  expect(control.ways).toEqual([...WAYS].sort());
  expect(control.bytes).toBeGreaterThan(1_000_000);
  expect((await found("zqharbour")).ways).toEqual([]);
  // Neither are the keys, and the store still has it all.
  const again = await open("sealed", under(["b"]));
  expect(await again.load("zqharbour", { threadId: "zqharbour" })).toMatchObject({
    metadata: { note: word("zqharbour", "recordmeta") },
  });
}, 60_000);
