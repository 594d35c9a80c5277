/** Pruning many threads while graphs run on some of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { copyThread } from "../../src/threads/copy-thread.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { longestWait } from "../support/longest-wait.ts";
import { expectTidy, type OpenStore, openStore, server } from "./store.ts";

const configOf = (threadId: string) => ({ configurable: { thread_id: threadId } });
const GRAPHS = 16;
const TURNS = 4;
/** Milliseconds that no wait takes on a busy machine, but for a lock that is kept. An operation may take 15 s. */
const LOCK_IS_KEPT = 10_000;

let store: OpenStore;
beforeEach(async () => {
  store = await openStore(server, {}, { maxConns: 16 });
});
afterEach(async () => {
  await expectTidy(store);
  await store.close();
});

/** The longest that any connection was seen to wait for a lock, in milliseconds. */
function watchLocks(): { stop(): Promise<number> } {
  return longestWait(async () => {
    const [row] = await store.sql<{ ms: number | null }>(
      `SELECT max(extract(epoch FROM clock_timestamp() - query_start) * 1000)::float8 AS ms
      FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'`,
      [store.storage.names.schemaName],
    );
    return row?.ms;
  });
}

test("all graphs finish right, no deadlock, and nobody waits long", async () => {
  // Copies of two conversations, so that there are many threads soon.
  const chat = chatGraph({ checkpointer: store.saver });
  const delta = deltaGraph({ checkpointer: store.saver, snapshotFrequency: 4, width: 2 });
  for (const turn of [1, 2, 3, 4, 5, 6]) {
    await chat.invoke({ messages: [`q${turn}`] }, configOf("chat"));
    await delta.invoke({ log: [`input ${turn}`] }, configOf("delta"));
  }
  for (let i = 0; i < 100; i += 1) {
    await copyThread(store.storage, i % 2 ? "delta" : "chat", `t${i}`);
  }

  const run = async (i: number): Promise<void> => {
    // Half of them share a process with others, half have one of their own.
    const saver = i % 4 < 2 ? store.saver : new PostgresSaver(store.another());
    if (i % 2) {
      const graph = deltaGraph({ checkpointer: saver, snapshotFrequency: 4, width: 2 });
      for (let turn = 7; turn < 7 + TURNS; turn += 1) {
        const { log } = await graph.invoke({ log: [`input ${turn}`] }, configOf(`t${i}`));
        expect(log).toEqual(deltaLog(turn, 2));
      }
    } else {
      const graph = chatGraph({ checkpointer: saver });
      for (let turn = 7; turn < 7 + TURNS; turn += 1) {
        const state = await graph.invoke({ messages: [`q${turn}`] }, configOf(`t${i}`));
        expect(texts(state).slice(-2)).toEqual([`q${turn}`, `answer ${turn * 2 - 1}`]);
      }
    }
  };

  const before = await deadlocks();
  const locks = watchLocks();
  let going = true;
  const pruner = store.another();
  const pruning = (async () => {
    let checkpoints = 0;
    do checkpoints += (await prune(pruner, { all: true, keepLast: 2 })).checkpoints;
    while (going);
    return checkpoints;
  })();
  await Promise.all(Array.from({ length: GRAPHS }, (_, i) => run(i)));
  going = false;
  expect(await pruning).toBeGreaterThan(100 * 10);
  // A promise of 100 ms needs a machine with nothing else to do; a lock that is kept would show here.
  expect(await locks.stop()).toBeLessThan(LOCK_IS_KEPT);
  expect(await deadlocks()).toBe(before);

  // What fresh eyes see: whole conversations.
  await prune(store.storage, { all: true, keepLast: 1 });
  const fresh = new PostgresSaver(store.another());
  const again = chatGraph({ checkpointer: fresh });
  const deltaAgain = deltaGraph({ checkpointer: fresh, snapshotFrequency: 4, width: 2 });
  for (let i = 0; i < 20; i += 1) {
    const turns = i < GRAPHS ? 6 + TURNS : 6;
    if (i % 2) {
      const { values } = await deltaAgain.getState(configOf(`t${i}`));
      expect(values.log).toEqual(deltaLog(turns, 2));
    } else {
      const { values } = await again.getState(configOf(`t${i}`));
      expect(texts(values)).toHaveLength(2 * turns);
    }
  }
});

test("checkpoints expire and are swept while graphs go on in the same threads", async () => {
  const storage = store.another({ ttl: { checkpoints: 200 } });
  const saver = new PostgresSaver(storage);
  let going = true;
  const sweeping = (async () => {
    let checkpoints = 0;
    do checkpoints += (await cleanupExpired(store.storage)).checkpoints;
    while (going);
    return checkpoints;
  })();
  const locks = watchLocks();
  await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const graph = chatGraph({ checkpointer: saver });
      for (let turn = 1; turn <= 6; turn += 1) {
        // However slow the machine is: the head must not expire between two turns.
        await store.sql(
          "UPDATE :schema.checkpoints SET expires_at = NULL WHERE thread_id = $1 AND seq = (SELECT max(seq) FROM :schema.checkpoints WHERE thread_id = $1)",
          [`t${i}`],
        );
        const state = await graph.invoke({ messages: [`q${turn}`] }, configOf(`t${i}`));
        expect(texts(state)).toHaveLength(2 * turn);
        await sleep(50);
      }
    }),
  );
  going = false;
  expect(await sweeping).toBeGreaterThan(0);
  expect(await locks.stop()).toBeLessThan(LOCK_IS_KEPT);
});

async function deadlocks(): Promise<number> {
  const [row] = await store.sql<{ deadlocks: number }>(
    "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
  );
  return row?.deadlocks ?? 0;
}
