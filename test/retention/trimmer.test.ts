/** `maxCheckpoints`: threads that stay small while they are used. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { createTrimmer, type Trimmer, type TrimmerOptions } from "../../src/retention/trimmer.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { checkpointOf, putAll, threadConfig, tuples } from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { inheritingGraph } from "../langgraph/graphs/subgraphs.ts";
import { expectTidy, newest, type OpenStore, openStore } from "./store.ts";

const long = (name: string) => `${name} ${"words ".repeat(400)}`;

describe.each(newest)("$name", (backend) => {
  let store: OpenStore;
  beforeEach(async () => {
    store = await openStore(backend);
  });
  afterEach(async () => {
    await expectTidy(store);
    await store.close();
  });

  function trimming(options: TrimmerOptions): { saver: PostgresSaver; trimmer: Trimmer } {
    const { storage } = store;
    const trimmer = createTrimmer(storage, options);
    const put: Storage["put"] = async (checkpoint, how) => {
      await storage.put(checkpoint, how);
      trimmer.putInto(checkpoint.threadId);
    };
    return { saver: new PostgresSaver({ ...storage, put }), trimmer };
  }

  test("a chat keeps between its limit and half as much again", async () => {
    const { saver, trimmer } = trimming({ maxCheckpoints: 6 });
    const config = threadConfig("chat");
    const graph = chatGraph({ checkpointer: saver });
    for (let turn = 1; turn <= 12; turn += 1) {
      await graph.invoke({ messages: [`q${turn}`] }, config);
      await trimmer.idle();
      expect((await store.rows()).checkpoints).toBeLessThanOrEqual(6 + 3);
    }
    expect(await tuples(saver, config)).toHaveLength((await store.rows()).checkpoints);
    expect((await store.rows()).checkpoints).toBeGreaterThanOrEqual(6);
    const { values } = await chatGraph({ checkpointer: store.saver }).getState(config);
    expect(texts(values)).toHaveLength(24);
    await trimmer.close();
  });

  test("runs go on while they are trimmed: all at once, without waiting for it", async () => {
    const { saver, trimmer } = trimming({ maxCheckpoints: 2 });
    const runs = Array.from({ length: 4 }, async (_, i) => {
      const config = threadConfig(`run ${i}`);
      const graph = deltaGraph({ checkpointer: saver, snapshotFrequency: 5, width: 2 });
      for (const turn of [1, 2, 3]) await graph.invoke({ log: [`input ${turn}`] }, config);
      const again = deltaGraph({ checkpointer: store.saver, snapshotFrequency: 5, width: 2 });
      expect((await again.getState(config)).values.log).toEqual(deltaLog(3, 2));
    });
    await Promise.all(runs);
    await trimmer.close();
  });

  test("runs of subgraphs that are over do not pile up, unless they are kept", async () => {
    for (const subgraphRuns of ["remove", "keep"] as const) {
      const { saver, trimmer } = trimming({ maxCheckpoints: 3, subgraphRuns });
      const config = threadConfig(subgraphRuns);
      const graph = inheritingGraph({ checkpointer: saver }, false);
      for (let i = 0; i < 8; i += 1) {
        await graph.invoke({ log: [] }, config);
        await trimmer.idle();
      }
      const spaces = await store.sql(
        "SELECT DISTINCT checkpoint_ns FROM :schema.checkpoints WHERE thread_id = $1",
        [config.configurable?.thread_id],
      );
      if (subgraphRuns === "keep") expect(spaces).toHaveLength(9);
      else expect(spaces.length).toBeLessThanOrEqual(4);
      await trimmer.close();
    }
  });

  test("processes that put little prune as often in the mean", async () => {
    const config = threadConfig("short-lived");
    let at = config;
    let most = 0;
    for (let i = 1; i <= 150; i += 1) {
      // Each put is a process of its own, as in a cloud function.
      const { saver, trimmer } = trimming({ maxCheckpoints: 10 });
      at = await putAll(saver, at, checkpointOf({ list: [long("a")] }, { list: i }));
      await trimmer.idle();
      await trimmer.close();
      most = Math.max(most, (await store.rows()).checkpoints);
    }
    // Every fifth put prunes in the mean; 70 in a row that do not have odds of 1 in 6 million.
    expect(most).toBeLessThan(80);
  });

  test("an error is told, a put does not see it, and closing forgets what is due", async () => {
    const errors: unknown[] = [];
    const broken = { ...store.storage, names: { ...store.storage.names, values: '"no"."where"' } };
    const trimmer = createTrimmer(broken, {
      maxCheckpoints: 1,
      onError: (error) => {
        errors.push(error);
        throw new Error("a listener that fails");
      },
    });
    const config = threadConfig("broken");
    const first = await putAll(store.saver, config, checkpointOf({ x: 1 }));
    await putAll(store.saver, first, checkpointOf({ x: 2 }, { x: 2 }));
    trimmer.putInto(config.configurable?.thread_id);
    await trimmer.idle();
    expect(errors).toMatchObject([{ code: "TABLES_MISSING" }]);
    trimmer.putInto(config.configurable?.thread_id);
    trimmer.putInto("another");
    await trimmer.close();
    trimmer.putInto("after the end");
    await trimmer.idle();
    expect(errors.length).toBeLessThanOrEqual(2);
  });
});
