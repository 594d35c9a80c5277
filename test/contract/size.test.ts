/** What a long chat costs on disk: about its own size, and no more each turn as it grows. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { threadConfig, threadOf } from "./material.ts";
import { newest, type OpenSaver, openSaver } from "./open-saver.ts";

const TURNS = 300;

/** A repeatable stream of numbers below 1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Random words, 200 B to 4 KB: nothing in it repeats, so nothing but sharing makes it small. */
function words(next: () => number): string {
  const length = 200 + Math.floor(next() * 3896);
  let text = "";
  while (text.length < length) text += `${Math.floor(next() * 2 ** 40).toString(36)} `;
  return text.slice(0, length);
}

let open: OpenSaver;
beforeAll(async () => {
  open = await openSaver(newest);
});
afterAll(() => open.close());

/** Bytes of all payloads of the thread, and the bytes of ids that hold them together. */
async function stored(thread: string): Promise<{ chunks: number; all: number }> {
  const size = "coalesce(sum(octet_length(payload)), 0)::int";
  const ids = (column: string) => `coalesce(sum(16 * cardinality(${column})), 0)::int`;
  const sum = (table: string, column: string) =>
    `(SELECT ${size} + ${ids(column)} FROM :schema.checkpoints_${table} WHERE thread_id = $1)`;
  const [row] = await open.sql(
    `SELECT (SELECT ${size} FROM :schema.checkpoints_chunks WHERE thread_id = $1) AS chunks,
      ${sum("chunks", "children")} + ${sum("values", "chunks")} + ${sum("writes", "chunks")}
      + (SELECT coalesce(sum(octet_length(checkpoint_data) + octet_length(metadata::text)
          + octet_length(channel_versions::text)), 0)::int
        FROM :schema.checkpoints WHERE thread_id = $1) AS "all"`,
    [thread],
  );
  return row as { chunks: number; all: number };
}

test("300 turns of a chat: chunks under 1.6 times the messages, the last turn no dearer than three early ones", async () => {
  const next = random(42);
  const config = threadConfig("a long chat");
  const graph = chatGraph({ checkpointer: open.saver, reply: () => words(next) });
  // The bytes that one turn writes depend on its own messages, so they are measured against those.
  const perMessageByte: number[] = [];
  const written: number[] = [];
  let before = await stored(threadOf(config));
  let said: string[] = [];
  for (let turn = 1; turn <= TURNS; turn += 1) {
    const state = await graph.invoke({ messages: [words(next)] }, config);
    said = texts(state);
    if (![29, 30, TURNS - 1, TURNS].includes(turn)) continue;
    const after = await stored(threadOf(config));
    written.push(after.all - before.all);
    perMessageByte.push((after.all - before.all) / Buffer.byteLength(said.slice(-2).join("")));
    before = after;
  }
  const again = await chatGraph({ checkpointer: open.fresh() }).getState(config);
  expect(texts(again.values)).toEqual(said);
  expect(said).toHaveLength(2 * TURNS);

  const finalBytes = Buffer.byteLength(JSON.stringify(again.values.messages));
  const { chunks } = await stored(threadOf(config));
  expect(chunks).toBeLessThan(1.6 * finalBytes);
  const [, turn30 = 0, , turn300 = 0] = written;
  expect(turn30).toBeGreaterThan(200);
  expect(turn300).toBeLessThanOrEqual(3 * turn30);
  const [, early = 0, , late = 0] = perMessageByte;
  expect(late).toBeLessThanOrEqual(3 * early);
}, 90_000);
