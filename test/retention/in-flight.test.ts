/** A run goes on while its thread is pruned: what it puts is whole, whatever it knew of the thread. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { prune } from "../../src/retention/prune.ts";
import { checkpointOf, METADATA, putAll, threadConfig, threadOf } from "../contract/material.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { expectTidy, newest, type OpenStore, openStore } from "./store.ts";

const long = (name: string) => `${name} ${"words ".repeat(400)}`;

describe.each(newest)("$name", (backend) => {
  let store: OpenStore;
  beforeAll(async () => {
    store = await openStore(backend);
  });
  afterEach(() => expectTidy(store));
  afterAll(() => store.close());

  const other = () => new PostgresSaver(store.fresh());
  const pruneTo = (config: RunnableConfig, keepLast: number) =>
    prune(store.fresh(), { threads: [threadOf(config)], keepLast });

  const VALUES = { list: [long("a"), long("b")], text: "unchanged", more: { deep: [long("c")] } };

  /** An old checkpoint that a run starts from, and newer ones that it knows nothing of. */
  async function forkPoint(saver: PostgresSaver) {
    const config = threadConfig("in flight");
    const old = await putAll(saver, config, checkpointOf(VALUES));
    let at = old;
    for (let i = 2; i < 6; i += 1) {
      const values = { list: [long(`${i}`)], text: `other ${i}`, more: {} };
      at = await putAll(saver, at, checkpointOf(values, { list: i, text: i, more: i }));
    }
    const tuple = await saver.getTuple(old);
    return { config, old, checkpoint: tuple?.checkpoint as Checkpoint };
  }

  /** The next checkpoint of that run: one channel changed, only that one to be stored. */
  async function putNext(saver: PostgresSaver, old: RunnableConfig, checkpoint: Checkpoint) {
    const next = checkpointOf(
      { ...checkpoint.channel_values, text: "changed" },
      { ...checkpoint.channel_versions, text: 77 },
    );
    return saver.put(old, next, METADATA, { text: 77 });
  }

  const expectWhole = async (put: RunnableConfig) => {
    const found = await other().getTuple(put);
    expect(found?.checkpoint.channel_values).toEqual({ ...VALUES, text: "changed" });
  };

  test("its parent was pruned by another process", async () => {
    const { config, old, checkpoint } = await forkPoint(store.saver);
    await pruneTo(config, 1);
    expect(await other().getTuple(old)).toBeUndefined();
    await expectWhole(await putNext(store.saver, old, checkpoint));
  });

  test("its parent was pruned, and its process has read the thread since", async () => {
    const { config, old, checkpoint } = await forkPoint(store.saver);
    await pruneTo(config, 1);
    // The same process now knows the thread as it is after the prune; the run still does not.
    await store.saver.getTuple(config);
    await expectWhole(await putNext(store.saver, old, checkpoint));
  });

  test("its parent was pruned, and its process has forgotten the thread", async () => {
    const { config, old, checkpoint } = await forkPoint(store.saver);
    await pruneTo(config, 1);
    await expectWhole(await putNext(other(), old, checkpoint));
  });

  test("its parent stayed, and its process keeps no chunks in memory", async () => {
    const saver = new PostgresSaver(store.another({ cacheBytes: 0 }));
    const { config, old, checkpoint } = await forkPoint(saver);
    await pruneTo(config, 6);
    await expectWhole(await putNext(saver, old, checkpoint));
  });

  test("pending writes that share chunks with what was pruned are whole", async () => {
    const { config } = await forkPoint(store.saver);
    const head = (await store.saver.getTuple(config))?.config as RunnableConfig;
    await pruneTo(config, 1);
    await store.saver.putWrites(head, [["list", VALUES.list]], "task");
    expect((await other().getTuple(head))?.pendingWrites).toEqual([["task", "list", VALUES.list]]);
  });

  test("a graph in the middle of a step", async () => {
    const config = threadConfig("graph");
    const turn = (reply: () => string, text: string) =>
      chatGraph({ checkpointer: store.saver, reply }).invoke({ messages: [text] }, config);
    for (let i = 1; i <= 5; i += 1) await turn(() => long(`answer ${i}`), long(`question ${i}`));
    let pruned: Promise<unknown> | undefined;
    await turn(() => {
      pruned = pruneTo(config, 1);
      return "now";
    }, "last");
    await pruned;
    await turn(() => "end", "really");
    const { values } = await chatGraph({ checkpointer: other() }).getState(config);
    expect((values.messages as { content: string }[]).map(({ content }) => content)).toEqual([
      ...[1, 2, 3, 4, 5].flatMap((i) => [long(`question ${i}`), long(`answer ${i}`)]),
      "last",
      "now",
      "really",
      "end",
    ]);
  });

  test("a run forks from what is about to go: its parent's ancestors stay", async () => {
    const config = threadConfig("forked meanwhile");
    const puts: RunnableConfig[] = [];
    let at = config;
    for (let step = 0; step < 6; step += 1) {
      at = await putAll(store.saver, at, checkpointOf({}, {}, { channel_versions: { log: step } }));
      await store.saver.putWrites(at, [["log", step]], "task");
      puts.push(at);
    }
    // The head does not need them, until the fork comes, between the plan and its first transaction.
    await putAll(store.saver, at, checkpointOf({ log: ["all"] }, { log: 9 }));
    const forked = checkpointOf({}, {}, { channel_versions: { log: 99 } });
    const { database, names } = store.another();
    let forks = 0;
    const place = {
      names,
      database: {
        ...database,
        async transaction(...args: Parameters<typeof database.transaction>) {
          if (forks === 0) await putAll(other(), puts[3] as RunnableConfig, forked);
          forks += 1;
          return database.transaction(...args);
        },
      } as typeof database,
    };
    await prune(place, { threads: [threadOf(config)], keepLast: 1 });
    expect(forks).toBeGreaterThan(1);
    const history = await other().getDeltaChannelHistory({ config, channels: ["log"] });
    expect(history.log?.writes.map(([, , value]) => value)).toEqual([0, 1, 2, 3]);
  });

  test("a prune that was interrupted is finished by the next", async () => {
    const config = threadConfig("interrupted");
    let at = config;
    for (let i = 1; i <= 160; i += 1) {
      // More values than one transaction collects, so that some are left when no checkpoint is.
      const values = { list: [long(`${i}`)], a: i, b: i, c: i, d: i };
      const versions = { list: i, a: i, b: i, c: i, d: i };
      at = await putAll(store.saver, at, checkpointOf(values, versions));
    }
    // Fails at each transaction in turn, as a process would that is ended there.
    let freed = 0;
    for (let failing = 1; ; failing += 1) {
      let count = 0;
      const { database, names } = store.another();
      const place = {
        names,
        database: {
          ...database,
          transaction: (...args: Parameters<typeof database.transaction>) => {
            count += 1;
            if (count === failing) return Promise.reject(new Error("the process ended"));
            return database.transaction(...args);
          },
        } as typeof database,
      };
      const call = prune(place, { threads: [threadOf(config)], keepLast: 2 });
      const report = await call.catch((error: Error) => error.message);
      if (typeof report !== "string") {
        freed += report.checkpoints;
        break;
      }
      expect(report).toBe("the process ended");
      const head = await other().getTuple(config);
      expect(head?.checkpoint.channel_values.list).toEqual([long("160")]);
    }
    expect(freed).toBeGreaterThan(0);
    expect(await store.rows(threadOf(config))).toMatchObject({ checkpoints: 2, values: 10 });
  });
});
