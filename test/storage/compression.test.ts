/** Large leaves are stored compressed, and come back as they were. */
import { randomUUID } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { AIMessage } from "@langchain/core/messages";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CorruptCheckpointError } from "../../src/errors.ts";
import { COMPRESSED, compress, textOf } from "../../src/storage/compression.ts";
import { backends } from "../support/backends.ts";
import { seeded } from "../torture/random.ts";
import { checkpoint, type Engine, openEngine } from "./engine.ts";

const random = seeded(7);
const LETTERS = 'abcdefghijklmnopqrstuvwxyz é漢😀\n"\\';
function text(length: number): string {
  const letters = Array.from({ length }, () => random.pick([...LETTERS]));
  // No half of a pair at the end.
  return letters
    .join("")
    .slice(0, length)
    .replace(/[\ud800-\udbff]$/, "x");
}

describe("a leaf's text", () => {
  test.each([2047, 2048, 2049, 5000, 65_535, 65_536, 65_537])("of %i characters", (length) => {
    for (const content of [text(length), "x".repeat(length), "漢".repeat(length)]) {
      const stored = compress(content);
      expect(typeof stored === "string").toBe(length < 2048 || length > 65_536);
      expect(textOf(Buffer.from(stored))).toBe(content);
    }
  });

  test("damaged in any way is none, or another text", () => {
    const content = text(5000);
    const stored = Buffer.from(compress(content));
    for (let at = 1; at < stored.length; at += 7) {
      const damaged = Buffer.from(stored);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      expect(textOf(damaged)).not.toBe(content);
      expect(textOf(stored.subarray(0, at))).toBeNull();
    }
    expect(textOf(Buffer.concat([stored, Buffer.from(" ")]))).toBeNull();
    expect(textOf(stored.subarray(0, 1))).toBeNull();
  });

  test("that would fill the memory is none", () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024, "x"));
    expect(textOf(Buffer.concat([Buffer.from([COMPRESSED]), bomb]))).toBeNull();
  });
});

describe.each(backends)("chunks on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  const stored = async (thread: string) => {
    const rows = await engine.sql(
      `SELECT count(*)::int AS leaves, count(*) FILTER (WHERE get_byte(payload, 0) = ${COMPRESSED})::int AS compressed,
        sum(octet_length(payload))::int AS bytes FROM T_chunks WHERE thread_id = $1 AND children IS NULL`,
      [thread],
    );
    return rows[0] as { leaves: number; compressed: number; bytes: number };
  };

  test("elements, entries, messages and slices of a text", async () => {
    const thread = randomUUID();
    const values = {
      list: Array.from({ length: 40 }, (_, i) => text(i < 20 ? 100 : 3000)),
      files: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}.md`, text(5000)])),
      messages: [new AIMessage({ id: "a", content: text(4000) }), new AIMessage("short")],
      text: text(80_000),
      huge: [text(70_000)],
    };
    await engine.storage.put(checkpoint(thread, values));
    const { leaves, compressed, bytes } = await stored(thread);
    expect(compressed).toBeGreaterThan(50);
    expect(leaves).toBeGreaterThan(compressed);
    expect(bytes).toBeLessThan(0.8 * Buffer.byteLength(JSON.stringify(values)));
    const read = await engine.another().read(thread, "");
    expect(Object.fromEntries(read?.values ?? [])).toEqual(values);
    // Who has read it knows its chunks by the ids of their texts, and sends none of them again.
    const next = engine.another();
    await next.read(thread, "");
    const before = next.traffic.bytesStored;
    await next.put(checkpoint(thread, values));
    expect(next.traffic.bytesStored - before).toBeLessThan(5000);
    expect(await stored(thread)).toEqual({ leaves, compressed, bytes });
    await next.put(checkpoint(thread, { more: [text(5000), text(5000)] }));
    expect((await stored(thread)).compressed).toBe(compressed + 2);
  });

  test("a write that goes in slices is left to the server", async () => {
    const thread = randomUUID();
    const list = Array.from({ length: 250 }, () => text(5000));
    await engine.storage.put(checkpoint(thread, { list }));
    expect((await stored(thread)).compressed).toBe(0);
    await engine.storage.put(checkpoint(thread, { list: [...list, text(5000)] }));
    expect((await stored(thread)).compressed).toBe(1);
    const read = await engine.another().read(thread, "");
    expect(read?.values.get("list")).toHaveLength(251);
  });

  test("batches of many threads, and pending writes", async () => {
    const threads = Array.from({ length: 8 }, () => randomUUID());
    const list = Array.from({ length: 10 }, () => text(3000));
    await Promise.all(threads.map((thread) => engine.storage.put(checkpoint(thread, { list }))));
    await Promise.all(
      threads.map(async (thread) => {
        const head = checkpoint(thread, { list: list.with(0, thread) });
        await engine.storage.put(head);
        await engine.storage.putWrites({
          threadId: thread,
          namespace: "",
          checkpointId: head.checkpointId,
          taskId: "task",
          taskPath: "",
          writes: [{ idx: 0, channel: "list", value: [...list, text(3000)] }],
        });
        expect((await stored(thread)).compressed).toBeGreaterThan(9);
        const read = await engine.another().read(thread, "");
        expect(Object.fromEntries(read?.values ?? [])).toEqual({ list: list.with(0, thread) });
        expect(read?.writes[0]?.value).toMatchObject({ length: 11, 0: list[0], 9: list[9] });
      }),
    );
  });

  test("a compressed leaf that is damaged is named", async () => {
    const thread = randomUUID();
    await engine.storage.put(checkpoint(thread, { files: { a: text(20_000), b: text(3000) } }));
    for (const change of [
      "set_byte(payload, 40, 255 - get_byte(payload, 40))",
      "substr(payload, 1, 40)",
      "payload || '\\x00'",
      `'\\x0${COMPRESSED}'`,
    ]) {
      const [kept] = await engine.sql(
        "SELECT chunk_id::text AS id, payload FROM T_chunks WHERE thread_id = $1 AND children IS NULL ORDER BY length(payload) LIMIT 1",
        [thread],
      );
      const where = "WHERE thread_id = $1 AND chunk_id = $2";
      await engine.sql(`UPDATE T_chunks SET payload = ${change} ${where}`, [thread, kept?.id]);
      const reading = engine.another().read(thread, "");
      await expect(reading, change).rejects.toBeInstanceOf(CorruptCheckpointError);
      await expect(reading, change).rejects.toThrow(`chunk ${kept?.id} `);
      await engine.sql(`UPDATE T_chunks SET payload = $3 ${where}`, [
        thread,
        kept?.id,
        kept?.payload,
      ]);
    }
    expect((await engine.another().read(thread, ""))?.values.has("files")).toBe(true);
  });

  test("an encrypted store compresses nothing, and takes over what a clear one did", async () => {
    const thread = randomUUID();
    const values = { files: { a: text(5000), b: text(6000) } };
    await engine.storage.put(checkpoint(thread, values));
    const clear = await stored(thread);
    expect(clear.compressed).toBe(2);
    const keys = [{ id: "k", key: Buffer.alloc(32, 1) }];
    const mixed = engine.another({ encryption: { keys, allowPlaintext: true } });
    const read = await mixed.read(thread, "");
    expect(Object.fromEntries(read?.values ?? [])).toEqual(values);
    const own = randomUUID();
    await mixed.put(checkpoint(own, values));
    expect((await stored(own)).bytes).toBeGreaterThan(11_000);
    const again = await engine.another({ encryption: { keys } }).read(own, "");
    expect(Object.fromEntries(again?.values ?? [])).toEqual(values);
  });
});
