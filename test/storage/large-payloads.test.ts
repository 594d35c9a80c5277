/** Bytes that are read in slices. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Executor } from "../../src/postgres/database.ts";
import { payloadOf, withLargePayloads } from "../../src/storage/large-payloads.ts";
import { readStatements } from "../../src/storage/read-statements.ts";
import { backends } from "../support/backends.ts";
import { checkpoint, type Engine, openEngine } from "./engine.ts";

const SLICE = 8 * 1024 * 1024;

function bytes(length: number, seed: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) made[i] = (i * seed) >> 3;
  return made;
}

const some = backends.filter(({ name }) => name !== "postgres-14");

describe.each(some)("large bytes on $name", (backend) => {
  let engine: Engine;
  const thread = randomUUID();
  const values = {
    slices: bytes(2 * SLICE + 5, 7),
    edge: bytes(SLICE, 11),
    over: bytes(SLICE + 1, 13),
    none: new Uint8Array(),
    text: "text",
  };
  beforeAll(async () => {
    engine = await openEngine(backend);
    await engine.storage.put(checkpoint(thread, values, { checkpointId: "c" }));
  });
  afterAll(() => engine.close());

  test("they come back whole, as the Uint8Arrays that they were", async () => {
    const storage = engine.another();
    await storage.read("none", "");
    const { statements } = storage.database.counters;
    const read = await storage.read(thread, "");
    // Two slices more of one value, one of another.
    expect(storage.database.counters.statements - statements).toBe(4);
    for (const [channel, value] of Object.entries(values)) {
      const back = read?.values.get(channel);
      expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(value));
      expect(
        typeof value === "string"
          ? back === value
          : Buffer.compare(value, back as Uint8Array) === 0,
      ).toBe(true);
    }
  });

  test("by id, in a list and in a transaction too, and nobody shares them", async () => {
    const storage = engine.another();
    const listed = [];
    for await (const one of storage.list({ threadId: thread })) listed.push(one);
    const [first, second] = [await storage.read(thread, "", "c"), listed[0]];
    const inside = await storage.database.transaction((tx) =>
      storage.readerIn(tx).read(thread, ""),
    );
    for (const one of [first, second, inside]) {
      const back = one?.values.get("slices") as Uint8Array;
      expect(Buffer.compare(values.slices, back)).toBe(0);
      back.fill(0);
    }
  });

  /** An executor that does something after each answer to the statement that reads the latest checkpoint. */
  function followed(by: (time: number) => Promise<unknown>) {
    const { database, names } = engine.storage;
    const reads = readStatements(names, false);
    let times = 0;
    const executor: Executor = {
      async execute(statement, params) {
        const rows = await database.execute(statement, params);
        if (statement === reads.latest) {
          times += 1;
          await by(times);
        }
        return rows;
      },
    };
    return {
      read: (id: string) =>
        withLargePayloads(executor, reads.slice).execute(reads.latest, [id, ""]),
      times: () => times,
    };
  }

  test("a thread that is pruned between row and slices is read anew", async () => {
    const prune = () =>
      engine.sql("UPDATE T_threads SET generation = gen_random_uuid() WHERE thread_id = $1", [
        thread,
      ]);
    const once = followed(async (time) => time === 1 && (await prune()));
    const rows = await once.read(thread);
    expect(once.times()).toBe(2);
    const row = rows.find(([kind, , channel]) => kind === "value" && channel === "slices");
    expect(Buffer.compare(values.slices, payloadOf(row ?? []) as Buffer)).toBe(0);
    await expect(followed(prune).read(thread)).rejects.toMatchObject({
      code: "THREAD_CONFLICT",
      message: expect.stringContaining("changed 5 times while it was read"),
    });
  });

  test("one that is deleted in between is not there", async () => {
    const gone = randomUUID();
    await engine.storage.put(checkpoint(gone, { over: values.over }));
    const read = followed(() => engine.another().remove(gone));
    expect(await read.read(gone)).toEqual([]);
    expect(read.times()).toBe(2);
  });

  test("a row without its slices is not taken for whole", async () => {
    const { database, names } = engine.storage;
    const rows = await database.execute(readStatements(names, false).latest, [thread, ""]);
    const row = rows.find(([kind, , channel]) => kind === "value" && channel === "over");
    expect(() => payloadOf(row ?? [])).toThrow("without its slices");
  });
});
