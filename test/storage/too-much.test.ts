/** More than PostgreSQL takes in one message: refused before it is sent, and nothing is half there. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SerializationError } from "../../src/errors.ts";
import { servers } from "../support/backends.ts";
import { checkpoint, type Engine, openEngine } from "./engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine(servers[0] as (typeof servers)[number]);
});
afterAll(() => engine.close());

test("a gigabyte of pending writes at once is a typed error with the limit; the store goes on", async () => {
  const thread = randomUUID();
  // A serializer that gives the same bytes again and again: it is the sum that counts.
  const bytes = new Uint8Array(70_000_000);
  const serde = {
    dumpsTyped: async (): Promise<[string, Uint8Array]> => ["raw", bytes],
    loadsTyped: async () => "loaded",
  };
  const put = engine.withSerde(serde).putWrites({
    threadId: thread,
    namespace: "",
    checkpointId: "c",
    taskId: "task",
    taskPath: "",
    writes: Array.from({ length: 16 }, (_, idx) => ({ idx, channel: "x", value: idx })),
  });
  await expect(put).rejects.toBeInstanceOf(SerializationError);
  await expect(put).rejects.toThrow(/1120000000 bytes or more; PostgreSQL takes 1073676288/);
  expect(await engine.sql("SELECT * FROM T_threads WHERE thread_id = $1", [thread])).toEqual([]);
  await engine.storage.put(checkpoint(thread, { a: 1 }));
  expect((await engine.another().read(thread, ""))?.values.get("a")).toBe(1);
});
