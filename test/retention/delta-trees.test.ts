/** Random trees of checkpoints with DeltaChannels: whatever stays in sight after a prune is what it was. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { type CheckpointMetadata, DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { deleteForRuns } from "../../src/threads/delete-threads.ts";
import {
  checkpointOf,
  METADATA,
  putAll,
  threadConfig,
  threadOf,
  tuples,
} from "../contract/material.ts";
import { expectTidy, type OpenStore, openStore, server } from "./store.ts";

const CHANNELS = ["near", "far"];

let store: OpenStore;
beforeAll(async () => {
  store = await openStore(server);
});
afterAll(() => store.close());

/** One checkpoint of a tree. */
const node = fc.record({
  /** How far back its parent is; 1 is the one before. */
  back: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 6 })),
  snapshots: fc.subarray(CHANNELS),
  hasSnapshots: fc.oneof({ weight: 2, arbitrary: fc.constant(false) }, fc.constant(true)),
  writes: fc.subarray(CHANNELS),
  run: fc.integer({ min: 0, max: 2 }),
});

type Node = typeof node extends fc.Arbitrary<infer N> ? N : never;

async function plant(nodes: readonly Node[]): Promise<RunnableConfig> {
  const config = threadConfig("tree");
  const puts: RunnableConfig[] = [];
  for (const [i, { back, snapshots, hasSnapshots, writes, run }] of nodes.entries()) {
    const stored = hasSnapshots ? snapshots : [];
    const values = Object.fromEntries(
      stored.map((name) => [name, new DeltaSnapshot([`${name} ${i}`])]),
    );
    const counters = Object.fromEntries(
      CHANNELS.filter((name) => !stored.includes(name)).map((name) => [name, [1, 1]]),
    );
    const metadata = {
      ...METADATA,
      run_id: `${threadOf(config)} ${run}`,
      counters_since_delta_snapshot: counters,
    } as unknown as CheckpointMetadata;
    const versions = Object.fromEntries(CHANNELS.map((name) => [name, i + 1]));
    const parent = puts[i - back] ?? config;
    const put = await putAll(
      store.saver,
      parent,
      checkpointOf(values, {}, { channel_versions: versions }),
      metadata,
    );
    await store.saver.putWrites(
      put,
      writes.map((name) => [name, `${name} write ${i}`]),
      `task ${i}`,
    );
    puts.push(put);
  }
  return config;
}

/** Every checkpoint that can be seen, with what its channels are rebuilt from. */
async function picture(config: RunnableConfig) {
  const saver = new PostgresSaver(store.fresh());
  const seen = new Map<string, unknown>();
  for (const { checkpoint, config: one } of await tuples(saver, config)) {
    const channels = CHANNELS.filter((name) => !(name in checkpoint.channel_values));
    const history = await saver.getDeltaChannelHistory({ config: one, channels });
    seen.set(checkpoint.id, { checkpoint, history });
  }
  return seen;
}

const ways: Record<string, (config: RunnableConfig, n: number) => Promise<unknown>> = {
  prune: (config, keepLast) => prune(store.storage, { threads: [threadOf(config)], keepLast }),
  expiry: async (config, n) => {
    await store.sql(
      "UPDATE :schema.checkpoints SET expires_at = now() WHERE thread_id = $1 AND seq % 4 <> $2",
      [threadOf(config), n % 4],
    );
    await cleanupExpired(store.storage);
  },
  "deletion of runs": (config, n) => deleteForRuns(store.storage, [`${threadOf(config)} ${n % 3}`]),
};

test.each(Object.entries(ways))("after %s", async (name, remove) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(node, { minLength: 2, maxLength: 14 }),
      fc.integer({ min: 1, max: 5 }),
      async (nodes, n) => {
        const config = await plant(nodes);
        const before = await picture(config);
        await remove(config, n);
        const after = await picture(config);
        for (const [id, seen] of after) expect(seen).toEqual(before.get(id));
        if (name === "prune") {
          const newest = [...before.keys()].slice(0, n);
          expect([...after.keys()]).toEqual(expect.arrayContaining(newest));
        }
        // Once more, to nothing but the newest: links of links.
        await ways.prune?.(config, 1);
        for (const [id, seen] of await picture(config)) expect(seen).toEqual(before.get(id));
      },
    ),
    { numRuns: 40 },
  );
  await expectTidy(store);
});
