/** What is damaged in the database is named, and is never a value that was not put. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CorruptCheckpointError } from "../../src/errors.ts";
import { PostgresSaver } from "../../src/index.ts";
import { backends } from "../support/backends.ts";
import { seeded } from "../torture/random.ts";
import { checkpoint, type Engine, openEngine } from "./engine.ts";

const backend = backends.find(({ name }) => name === "postgres-18") as (typeof backends)[number];
/** Chunks that are damaged in each way, one after the other. */
const ROUNDS = 12;

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine(backend);
});
afterAll(() => engine.close());

/** `list` is a tree with index nodes, `files` has containers, `n` sits in its row, `text` is cut into slices. */
const values = {
  list: Array.from({ length: 120 }, (_, i) => ({ i, text: `${i} ${"x".repeat(300)}` })),
  files: { "a.md": Array.from({ length: 30 }, (_, i) => `${i} ${"y".repeat(90)}`), "b.md": "z" },
  n: 7,
  text: "A long text. ".repeat(20_000),
};

const CHUNK = "WHERE thread_id = $1 AND chunk_id = $2";
/** `$1` the thread, `$2` the chunk, `$3` a number from 0 to 999. */
const DAMAGES: Readonly<Record<string, string>> = {
  // Not of the last byte: where it is compressed, some of its bits mean nothing.
  "a bit of a payload": `UPDATE T_chunks SET payload = set_bit(payload, (length(payload) * 8 - 9) * $3::int / 999,
    1 - get_bit(payload, (length(payload) * 8 - 9) * $3::int / 999)) ${CHUNK} AND length(payload) > 1`,
  "a payload cut off": `UPDATE T_chunks SET payload = substr(payload, 1, (length(payload) - 1) * $3::int / 999) ${CHUNK} AND payload IS NOT NULL`,
  "a payload that is longer": `UPDATE T_chunks SET payload = payload || '\\x20' ${CHUNK} AND payload IS NOT NULL`,
  "another chunk's payload": `UPDATE T_chunks k SET payload = o.payload, children = o.children FROM T_chunks o
    WHERE k.thread_id = $1 AND k.chunk_id = $2 AND o.thread_id = $1 AND o.chunk_id <> $2`,
  "no payload": `UPDATE T_chunks SET payload = NULL ${CHUNK} AND payload IS NOT NULL`,
  "a child less": `UPDATE T_chunks SET children = children[2:] ${CHUNK} AND children IS NOT NULL`,
  "children in another order": `UPDATE T_chunks SET children = children[2:] || children[1:1] ${CHUNK} AND cardinality(children) > 1`,
  "no children": `UPDATE T_chunks SET children = NULL ${CHUNK} AND children IS NOT NULL`,
  "a chunk removed": `DELETE FROM T_chunks ${CHUNK}`,
};

describe.each(Object.entries(DAMAGES))("%s", (what, text) => {
  test("the error names thread, checkpoint, channel and chunk", async () => {
    const random = seeded(what.length);
    const thread = randomUUID();
    const put = checkpoint(thread, values);
    await engine.storage.put(put);
    const chunks = await engine.sql(
      `SELECT chunk_id::text AS id, payload, children FROM T_chunks WHERE thread_id = $1
        AND (children IS NOT NULL OR ${!what.includes("child")}) ORDER BY 1`,
      [thread],
    );
    let damaged = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { id, payload, children } = random.pick(chunks) as Record<string, unknown>;
      const numbers = [random.below(1000)].slice(0, text.includes("$3") ? 1 : 0);
      const changed = await engine.sql(`${text} RETURNING 1`, [thread, id, ...numbers]);
      if (changed.length === 0) continue;
      damaged += 1;
      for (const read of [
        () => engine.another().read(thread, ""),
        async () => {
          for await (const _ of engine.another().list({ threadId: thread }));
        },
      ]) {
        const error: unknown = await read().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(CorruptCheckpointError);
        const { message } = error as Error;
        expect(message).toContain(`Thread "${thread}", checkpoint ${put.checkpointId}, channel "`);
        expect(message).toMatch(/channel "(list|files|text)": chunk /);
        expect(message).toContain(`chunk ${id} `);
      }
      await engine.sql(
        `INSERT INTO T_chunks (thread_id, chunk_id, payload, children) VALUES ($1, $2, $3, $4)
        ON CONFLICT (thread_id, chunk_id) DO UPDATE SET payload = excluded.payload, children = excluded.children`,
        [thread, id, payload, children],
      );
    }
    expect(damaged).toBeGreaterThan(1);
    const read = await engine.another().read(thread, "");
    expect(isDeepStrictEqual(Object.fromEntries(read?.values ?? []), values)).toBe(true);
  });
});

/** Of the values' own rows: `$1` the thread. */
const OF_ROWS: Readonly<Record<string, readonly [text: string, says: RegExp]>> = {
  "another type": ["UPDATE T_values SET type = 'pickle' WHERE thread_id = $1", /"pickle"/],
  "an inline value cut off": [
    `UPDATE T_values SET payload = '\\x5b' WHERE thread_id = $1 AND channel = 'n'`,
    /channel "n": stored JSON text of 1 characters cannot be parsed/,
  ],
  "a root that is nowhere": [
    "UPDATE T_values SET chunks = ARRAY[gen_random_uuid()] WHERE thread_id = $1 AND channel = 'list'",
    /channel "list": chunk \S+ is missing/,
  ],
  "an array said to be an object": [
    `UPDATE T_values SET payload = '\\x7b' WHERE thread_id = $1 AND channel = 'list'`,
    /channel "list": chunk \S+ does not fit where it is used/,
  ],
  "an array said to be a text": [
    `UPDATE T_values SET payload = '\\x22' WHERE thread_id = $1 AND channel = 'list'`,
    /channel "list": chunk \S+ is no slice of a text/,
  ],
  "a text said to be an array": [
    `UPDATE T_values SET payload = '\\x5b' WHERE thread_id = $1 AND channel = 'text'`,
    /channel "text": chunk \S+ is neither a list nor a set of entries/,
  ],
  "a header that is none": [
    `UPDATE T_values SET payload = '\\x78' WHERE thread_id = $1 AND channel = 'list'`,
    /channel "list": /,
  ],
};

test.each(Object.entries(OF_ROWS))("%s", async (_, [text, says]) => {
  const thread = randomUUID();
  await engine.storage.put(checkpoint(thread, values));
  await engine.sql(text, [thread]);
  const reading = engine.another().read(thread, "");
  await expect(reading).rejects.toBeInstanceOf(CorruptCheckpointError);
  await expect(reading).rejects.toThrow(says);
  await expect(reading).rejects.toThrow(`Thread "${thread}", checkpoint `);
});

test("the checkpoint itself cut off", async () => {
  const thread = randomUUID();
  const { checkpointId } = checkpoint(thread);
  await engine.storage.put(checkpoint(thread, values, { checkpointId }));
  await engine.sql("UPDATE T SET checkpoint_data = '\\x7b' WHERE thread_id = $1", [thread]);
  const saver = new PostgresSaver(engine.another());
  const config = { configurable: { thread_id: thread } };
  await expect(saver.getTuple(config)).rejects.toBeInstanceOf(CorruptCheckpointError);
  await expect(saver.getTuple(config)).rejects.toThrow(
    `Thread "${thread}", checkpoint ${checkpointId}: stored JSON text of 1 characters cannot be parsed`,
  );
});
