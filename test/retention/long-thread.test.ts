/** A conversation of 600 turns, pruned to its last 10 checkpoints. */
import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import { type CheckpointTuple, uuid6 } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { prune } from "../../src/retention/prune.ts";
import { METADATA, threadOf, tuples } from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { expectTidy, type OpenStore, openStore, server } from "./store.ts";

const TURNS = 600;
const KEPT = 10;
const text = (name: string, i: number) => `${name} ${i} ${"lorem ipsum dolor ".repeat(50)}`;

let store: OpenStore;
beforeAll(async () => {
  store = await openStore(server);
});
afterAll(() => store.close());

/**
 * What so many turns leave, put without running them: the checkpoint that a real turn ended with,
 * again and again, with a message more each time, and each message as a pending write before.
 */
async function converse(config: RunnableConfig, turns: number): Promise<void> {
  const { saver } = store;
  await chatGraph({ checkpointer: saver }).invoke({ messages: [text("question", 1)] }, config);
  const { checkpoint, config: last } = (await saver.getTuple(config)) as CheckpointTuple;
  let messages = checkpoint.channel_values.messages as BaseMessage[];
  let at = last;
  let versions = checkpoint.channel_versions as Record<string, number>;
  for (let turn = 2; turn <= turns; turn += 1) {
    for (const message of [
      new HumanMessage({ content: text("question", turn), id: `q${turn}` }),
      new AIMessage({ content: text("answer", turn), id: `a${turn}` }),
    ]) {
      await saver.putWrites(at, [["messages", message]], "00000000-0000-0000-0000-000000000001");
      messages = [...messages, message];
      versions = { ...versions, messages: saver.getNextVersion(versions.messages) };
      const next = {
        ...checkpoint,
        id: uuid6(3),
        channel_values: { ...checkpoint.channel_values, messages, turns: turn },
        channel_versions: versions,
      };
      at = await saver.put(
        at,
        next,
        { ...METADATA, step: 2 * turn },
        { messages: versions.messages as number },
      );
    }
  }
}

const bytesOf = async (threadId: string) =>
  (await prune(store.storage, { threads: [threadId], strategy: "delete", dryRun: true })).bytes;

test("costs what a fresh copy of these costs, and LangGraph goes on with it", async () => {
  const config = { configurable: { thread_id: "long", checkpoint_ns: "" } };
  await converse(config, TURNS);
  const before = await store.rows("long");
  const beforeBytes = await bytesOf("long");
  expect(before.checkpoints).toBeGreaterThan(2 * TURNS);

  const kept = (await tuples(store.saver, config, { limit: KEPT })).reverse();
  const report = await prune(store.storage, { threads: ["long"], keepLast: KEPT });
  const after = await store.rows("long");
  expect(report).toMatchObject({
    checkpoints: before.checkpoints - KEPT,
    writes: before.writes - after.writes,
    values: before.values - after.values,
    chunks: before.chunks - after.chunks,
  });
  expect(report.bytes).toBe(beforeBytes - (await bytesOf("long")));
  await expectTidy(store);

  // A fresh copy: the same ten checkpoints and their writes, put into a thread of their own by a
  // process that knows nothing. Row for row as they are stored, so neither has dead rows or slack.
  const fresh = new PostgresSaver(store.another());
  const copy = { configurable: { thread_id: "copy", checkpoint_ns: "" } };
  let at: RunnableConfig = copy;
  for (const { checkpoint, metadata, pendingWrites = [] } of kept) {
    at = await fresh.put(at, checkpoint, metadata ?? METADATA, checkpoint.channel_versions);
    for (const [task, channel, value] of pendingWrites) {
      await fresh.putWrites(at, [[channel, value]], task);
    }
  }
  expect((await store.rows("copy")).checkpoints).toBe(KEPT);
  expect(await bytesOf("long")).toBeLessThanOrEqual(1.3 * (await bytesOf("copy")));
  expect(await bytesOf("long")).toBeLessThan(beforeBytes / 2);

  expect((await tuples(fresh, config)).reverse().map(({ checkpoint }) => checkpoint)).toEqual(
    kept.map(({ checkpoint }) => checkpoint),
  );
  const resumed = await chatGraph({ checkpointer: fresh }).invoke(
    { messages: ["goes on"] },
    config,
  );
  const all = texts(resumed);
  expect(all).toHaveLength(2 * TURNS + 2);
  expect(all.at(0)).toBe(text("question", 1));
  expect(all.at(-3)).toBe(text("answer", TURNS));
  expect(all.at(-1)).toBe(`answer ${2 * TURNS + 1}`);
}, 120_000);

test("the rows that a prune reads are in proportion to the thread", async () => {
  // One connection, which counts all that it reads before it is asked.
  await store.close();
  store = await openStore(server, {}, { maxConns: 1 });
  // Buffers, not time: they do not depend on what else the machine does.
  const touched: number[] = [];
  for (const turns of [40, 160]) {
    const config = { configurable: { thread_id: `n${turns}`, checkpoint_ns: "" } };
    await converse(config, turns);
    const before = await buffers();
    await prune(store.storage, { threads: [threadOf(config)], keepLast: KEPT });
    touched.push((await buffers()) - before);
  }
  const [small = 0, large = 0] = touched;
  expect(large / small).toBeLessThan(6);
}, 60_000);

/** Buffers of the store's tables and indexes that were touched so far. */
async function buffers(): Promise<number> {
  await store.sql("SELECT pg_stat_force_next_flush()");
  await store.sql("SELECT pg_stat_clear_snapshot()");
  const [row] = await store.sql<{ n: number }>(
    `SELECT sum(COALESCE(heap_blks_hit, 0) + COALESCE(heap_blks_read, 0) + COALESCE(idx_blks_hit, 0)
      + COALESCE(idx_blks_read, 0))::int AS n FROM pg_statio_user_tables WHERE schemaname = $1`,
    [store.storage.names.schemaName],
  );
  return row?.n ?? 0;
}
