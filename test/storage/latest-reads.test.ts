/** Reads that leave together. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { under } from "../encryption/material.ts";
import { backends } from "../support/backends.ts";
import { checkpoint, type Engine, longList, openEngine } from "./engine.ts";

const kinds = backends.flatMap((backend) => [
  { name: backend.name, backend, settings: {} },
  { name: `${backend.name}, encrypted`, backend, settings: under(["a"]) },
]);

describe.each(kinds)("reads of several threads at once on $name", ({ backend, settings }) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend, settings);
  });
  afterAll(() => engine.close());

  /** How many statements `work` sends, the engine's first use left out. */
  async function counted<T>(storage: Storage, work: () => Promise<T>): Promise<[T, number]> {
    await storage.read("none", "");
    const { statements } = storage.database.counters;
    const result = await work();
    return [result, storage.database.counters.statements - statements];
  }

  async function threadsOf(count: number): Promise<string[]> {
    const threads = Array.from({ length: count }, () => randomUUID());
    await Promise.all(
      threads.map(async (threadId, i) => {
        const put = checkpoint(threadId, { n: i, text: `of ${i}`, list: longList(10 * (i % 3)) });
        await engine.storage.put(put);
        if (i % 4 === 0) return;
        await engine.storage.putWrites({
          threadId,
          namespace: "",
          checkpointId: put.checkpointId,
          taskId: `task ${i}`,
          taskPath: "",
          writes: Array.from({ length: i % 4 }, (_, idx) => ({
            idx,
            channel: "w",
            value: { i, idx },
          })),
        });
      }),
    );
    return threads;
  }

  test("the first leaves at once, the others as one statement, and each gets its own", async () => {
    const threads = await threadsOf(20);
    const alone = engine.another();
    const expected = [];
    for (const thread of threads) expected.push(await alone.read(thread, ""));
    expect(expected.map((one) => one?.values.get("n"))).toEqual(threads.map((_, i) => i));
    expect(expected.map((one) => one?.writes.length)).toEqual(threads.map((_, i) => i % 4));
    const [read, statements] = await counted(alone, () =>
      Promise.all(threads.map((thread) => alone.read(thread, ""))),
    );
    expect(read).toEqual(expected);
    expect(statements).toBe(2);
  });

  test("what is not there, what has expired, and namespaces of one thread are told apart", async () => {
    const [thread, expired, deleted] = (await threadsOf(3)) as [string, string, string];
    await engine.storage.put(checkpoint(thread, { sub: 1 }, { namespace: "sub" }));
    await engine.sql(
      "UPDATE T_threads SET expires_at = now() - interval '1 second' WHERE thread_id = $1",
      [expired],
    );
    await engine.storage.remove(deleted);
    const storage = engine.another();
    const keys: [string, string][] = [
      [thread, ""],
      [thread, "none"],
      [expired, ""],
      [thread, "sub"],
      ["unknown", ""],
      [deleted, ""],
      [thread, ""],
    ];
    const read = await Promise.all(keys.map((key) => storage.read(...key)));
    expect(read.map((one) => one && [...one.values.keys()].sort())).toEqual([
      ["list", "n", "text"],
      undefined,
      undefined,
      ["sub"],
      undefined,
      undefined,
      ["list", "n", "text"],
    ]);
    expect(read[6]?.values.get("list")).not.toBe(read[0]?.values.get("list"));
  });

  test("a thread with nothing in one namespace is remembered in the others", async () => {
    const threads = await threadsOf(3);
    const storage = engine.another();
    for (const thread of threads) await storage.read(thread, "");
    const [, statements] = await counted(storage, async () => {
      await Promise.all(threads.map((thread) => storage.read(thread, "none")));
      for (const thread of threads) await storage.read(thread, "");
    });
    // Two of them have a list, whose chunks would be read again.
    expect(statements).toBe(2 + 3);
  });

  test("one that cannot be read fails alone", async () => {
    const threads = await threadsOf(4);
    const storage = engine.another();
    await engine.sql("UPDATE T SET channel_versions = '5' WHERE thread_id = $1", [threads[2]]);
    const read = await Promise.allSettled(threads.map((thread) => storage.read(thread, "")));
    expect(read.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
  });

  test.runIf(backend.connections === "many")(
    "where the server does not answer, none is sent a second time",
    async () => {
      const threads = await threadsOf(5);
      const storage = engine.another({ deadline: 500 });
      const client = await engine.backend.pool.connect();
      try {
        await storage.read("none", "");
        const { statements } = storage.database.counters;
        await client.query({ text: "BEGIN" });
        await client.query({ text: `LOCK ${storage.names.checkpoints}` });
        const reads = threads.map((thread) => storage.read(thread, ""));
        expect(await Promise.allSettled(reads)).toEqual(
          threads.map(() => ({
            status: "rejected",
            reason: expect.objectContaining({ code: "DEADLINE_EXCEEDED" }),
          })),
        );
        expect(storage.database.counters.statements - statements).toBe(2);
      } finally {
        await client.query({ text: "ROLLBACK" });
        client.release();
      }
    },
  );

  test("a thread whose answer was large is asked for alone", async () => {
    const threads = await threadsOf(4);
    const text = "x".repeat(600_000);
    const large = randomUUID();
    const put = checkpoint(large, { bytes: Buffer.from(text) });
    await engine.storage.put(put);
    const storage = engine.another();
    for (const thread of threads) await storage.read(thread, "");
    const readAll = () =>
      counted(storage, () => Promise.all([...threads, large].map((one) => storage.read(one, ""))));
    const [, together] = await readAll();
    const [read, apart] = await readAll();
    expect([together, apart]).toEqual([2, 3]);
    expect(Buffer.from(read[4]?.values.get("bytes") as Uint8Array).toString()).toBe(text);
    await engine.storage.put(checkpoint(large, { bytes: 1 }));
    await readAll();
    expect((await readAll())[1]).toBe(2);
  });

  test("those that wait when the engine is closed are answered", async () => {
    const threads = await threadsOf(5);
    const storage = engine.another();
    for (const thread of threads) await storage.read(thread, "");
    const reads = threads.map((thread) => storage.read(thread, ""));
    // Past what an operation looks at before it begins.
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    const closing = storage.close();
    expect((await Promise.all(reads)).map((one) => one?.values.get("n"))).toEqual([0, 1, 2, 3, 4]);
    await closing;
  });

  test("each goes alone where somebody watches who takes a connection", async () => {
    const threads = await threadsOf(5);
    const { pool, schema } = engine.backend;
    const watched = Object.assign(Object.create(pool), { connect: () => pool.connect() });
    const storage = openStorage({ pool: watched, owned: false, settings: { schema, ...settings } });
    for (const thread of threads) await storage.read(thread, "");
    const [, statements] = await counted(storage, () =>
      Promise.all(threads.map((thread) => storage.read(thread, ""))),
    );
    expect(statements).toBe(5);
  });

  test("more than fit in one statement", async () => {
    const threads = await threadsOf(70);
    const storage = engine.another();
    const [read, statements] = await counted(storage, () =>
      Promise.all(
        threads.map((thread) => storage.read(thread, "").then((one) => one?.values.get("n"))),
      ),
    );
    expect(read).toEqual(threads.map((_, i) => i));
    // One, three, and the lists' chunks.
    expect(statements - threads.filter((_, i) => i % 3 !== 0).length).toBe(4);
  });
});
