/** Case 22: a thread of 10,000 checkpoints is read in bounded memory. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunnableConfig } from "@langchain/core/runnables";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { checkpointOf, METADATA, threadConfig } from "./material.ts";
import { newest, type OpenSaver, openSaver } from "./open-saver.ts";
import { wrapPool } from "./wrapped-pool.ts";

const COUNT = 10_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that are really in use. */
function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

let open: OpenSaver;
let config: RunnableConfig;

beforeAll(async () => {
  open = await openSaver(newest);
  config = threadConfig("case 22");
  // One value of small objects, 10 KB in memory: all 10,000 checkpoints together would be 100 MB and more.
  const value = Array.from({ length: 150 }, (_, i) => ({ i, half: i / 2, odd: i % 2 === 1 }));
  const first = checkpointOf({ value });
  await open.saver.put(config, first, METADATA, first.channel_versions);
  for (let done = 1; done < COUNT; ) {
    const batch = Array.from({ length: Math.min(500, COUNT - done) }, () =>
      open.saver.put(config, checkpointOf({ value }), METADATA, {}),
    );
    await Promise.all(batch);
    done += batch.length;
  }
}, 120_000);

afterAll(() => open.close());

test("case 22: 10,000 checkpoints in bounded memory", async () => {
  const pool = wrapPool(open.pool);
  const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
  const ids = new Set<string>();
  let start = 0;
  let peak = 0;
  for await (const { checkpoint } of saver.list(config)) {
    ids.add(checkpoint.id);
    expect(checkpoint.channel_values.value).toHaveLength(150);
    if (ids.size === 100) start = heapUsed();
    if (ids.size % 1000 === 0) peak = Math.max(peak, heapUsed());
  }
  expect(ids.size).toBe(COUNT);
  expect(peak - start).toBeLessThan(30 * 1024 * 1024);
  // A page at a time, whatever the thread's length.
  expect(pool.mostRows).toBeLessThan(2000);
  expect(pool.take().length).toBeGreaterThan(10);
}, 60_000);

test("case 22: a consumer that stops early has not read the rest", async () => {
  const pool = wrapPool(open.pool);
  const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
  let seen = 0;
  for await (const _ of saver.list(config)) {
    seen += 1;
    if (seen === 3) break;
  }
  expect(pool.take().length).toBeLessThanOrEqual(2);
  expect(pool.mostRows).toBeLessThan(2000);
  await nextTurn();
  expect(open.pool.idleCount).toBe(open.pool.totalCount);
  expect(open.pool.waitingCount).toBe(0);
});
