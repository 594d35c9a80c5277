/**
 * Everything is pruned, thread after thread, while graphs go on in some of the threads: all of them end
 * right, nothing deadlocks, and no statement waits long for a lock.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { createPool, PostgresSaver } from "../../src/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { copyThread } from "../../src/threads/copy-thread.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { longestWait } from "../support/longest-wait.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";

const THREADS = 1000;
const GRAPHS = 16;
const IN_USE = 100;
/** Turns that every thread has, and that each of those in use gets. */
const BEFORE = 6;
const MORE = 3;
const LONGEST_WAIT = 100;

export const pruneLoad: Campaign = campaign<CampaignDatabase>(
  "prune-load",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    return { shared: database, end: () => database.end() };
  },
  async ({ connString, schema }, { number, count }) => {
    const pool = createPool({ connString, maxConns: 20 });
    const watcher = createPool({ connString, maxConns: 1 });
    const storage = openStorage({ pool, owned: false, settings: { schema } });
    const saver = new PostgresSaver(storage);
    const configOf = (name: string) => ({ configurable: { thread_id: `${number} ${name}` } });
    const isDelta = (i: number): boolean => Math.abs(i) % 2 === 1;
    const turn = async (i: number, place: number, own = saver): Promise<void> => {
      const config = configOf(i < 0 ? (isDelta(i) ? "delta" : "chat") : `t${i}`);
      if (isDelta(i)) {
        const graph = deltaGraph({ checkpointer: own, snapshotFrequency: 4, width: 2 });
        const { log } = await graph.invoke({ log: [`input ${place}`] }, config);
        assert.deepEqual(log, deltaLog(place, 2));
      } else {
        const state = await chatGraph({ checkpointer: own }).invoke(
          { messages: [`q${place}`] },
          config,
        );
        assert.deepEqual(texts(state).slice(-2), [`q${place}`, `answer ${place * 2 - 1}`]);
        assert.equal(texts(state).length, 2 * place);
      }
    };
    for (let place = 1; place <= BEFORE; place += 1) for (const i of [-1, -2]) await turn(i, place);
    for (let i = 0; i < THREADS; i += 1) {
      const from = isDelta(i) ? "delta" : "chat";
      await copyThread(
        storage,
        configOf(from).configurable.thread_id,
        configOf(`t${i}`).configurable.thread_id,
      );
    }

    const deadlocks = await deadlocksIn(watcher);
    const waits = watchWaits(watcher);
    const pruner = startPruner(JSON.stringify({ connString, schema }));
    await Promise.all(
      Array.from({ length: GRAPHS }, async (_, lane) => {
        // Half of them share a process's memory, half have one of their own.
        const own = lane % 4 < 2 ? saver : new PostgresSaver(pool, undefined, { schema });
        for (let i = lane; i < IN_USE; i += GRAPHS) {
          for (let place = BEFORE + 1; place <= BEFORE + MORE; place += 1) {
            await turn(i, place, own);
            count("runs");
          }
        }
      }),
    );
    const { examined, checkpoints } = await pruner.stop();
    count("threads looked at by prunes", examined);
    count("checkpoints pruned", checkpoints);
    const longest = await waits.stop();
    count("ms that the longest wait of each round took", Math.round(longest));
    assert(longest <= LONGEST_WAIT, `a statement waited ${longest} ms for a lock`);
    assert.equal(await deadlocksIn(watcher), deadlocks);

    // What fresh eyes see.
    const fresh = new PostgresSaver(pool, undefined, { schema });
    for (let i = 0; i < THREADS; i += 7) await turn(i, BEFORE + (i < IN_USE ? MORE : 0) + 1, fresh);
    await pool.end();
    await watcher.end();
  },
);

/** In a process of its own, as an operator's is: it must not wait for the graphs' computing with a thread locked. */
function startPruner(order: string): {
  stop(): Promise<{ examined: number; checkpoints: number }>;
} {
  const script = fileURLToPath(new URL("prune-process.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, order], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (data) => {
    printed += data;
  });
  const ended = once(child, "exit");
  return {
    async stop() {
      child.stdin.end();
      await ended;
      return JSON.parse(printed);
    },
  };
}

/** The longest that any statement was seen to wait for a lock, in milliseconds, by the server's clock. */
function watchWaits(pool: pg.Pool): { stop(): Promise<number> } {
  return longestWait(async () => {
    const { rows } = await pool.query(
      "SELECT max(extract(epoch FROM clock_timestamp() - waitstart) * 1000)::float8 AS ms FROM pg_locks WHERE NOT granted",
    );
    return rows[0]?.ms;
  });
}

async function deadlocksIn(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    "SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()",
  );
  return rows[0]?.n ?? 0;
}
