/** What LangGraph's conformance suite for Python asks of `copy_thread` and `delete_for_runs`, clause by clause. */
import { randomUUID } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointMetadata, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyThread } from "../../src/threads/copy-thread.ts";
import { deleteForRuns } from "../../src/threads/delete-threads.ts";
import { checkpointOf, configOf, idsOf, METADATA, putAll, tuples } from "../contract/material.ts";
import { type OpenStore, openStore } from "../retention/store.ts";
import { backends } from "../support/backends.ts";

describe.each(backends)("$name", (backend) => {
  let store: OpenStore;
  beforeAll(async () => {
    store = await openStore(backend);
  });
  afterAll(() => store.close());

  const listed = (threadId: string, namespace?: string) =>
    tuples(store.saver, configOf(threadId, namespace));

  describe("copy_thread", () => {
    /** `n` checkpoints in each namespace; their configs. */
    async function source(threadId: string, n = 3, namespaces = [""]): Promise<RunnableConfig[]> {
      const stored: RunnableConfig[] = [];
      for (const namespace of namespaces) {
        let config = configOf(threadId, namespace);
        for (let step = 0; step < n; step += 1) {
          const checkpoint = checkpointOf({ step }, { step: step + 1 });
          config = await putAll(store.saver, config, checkpoint, { ...METADATA, step });
          stored.push(config);
        }
      }
      return stored;
    }

    async function copied(n = 3, namespaces = [""]) {
      const [from, to] = [randomUUID(), randomUUID()];
      const configs = await source(from, n, namespaces);
      return { from, to, configs };
    }

    const contentOf = ({ checkpoint, metadata }: CheckpointTuple) => ({ checkpoint, metadata });

    test("checkpoints appear on the target thread", async () => {
      const { from, to } = await copied();
      await copyThread(store.storage, from, to);
      expect(await listed(to)).toHaveLength(3);
    });

    test("all checkpoints are copied, with their content", async () => {
      const { from, to } = await copied();
      await copyThread(store.storage, from, to);
      expect((await listed(to)).map(contentOf)).toEqual((await listed(from)).map(contentOf));
    });

    test("metadata is kept", async () => {
      const { from, to } = await copied(2);
      await copyThread(store.storage, from, to);
      const steps = (await listed(to)).map(({ metadata }) => metadata?.step);
      expect(steps).toEqual([1, 0]);
    });

    test("namespaces are kept", async () => {
      const { from, to } = await copied(1, ["", "child:1"]);
      await copyThread(store.storage, from, to);
      for (const namespace of ["", "child:1"]) {
        expect(await listed(to, namespace)).toHaveLength(1);
      }
    });

    test("pending writes are kept", async () => {
      const { from, to, configs } = await copied(1);
      await store.saver.putWrites(configs[0] as RunnableConfig, [["ch", "write_val"]], "task");
      await copyThread(store.storage, from, to);
      const tuple = await store.saver.getTuple(configOf(to));
      expect(tuple?.pendingWrites).toEqual([["task", "ch", "write_val"]]);
    });

    test("the order is kept", async () => {
      const { from, to } = await copied(4);
      await copyThread(store.storage, from, to);
      expect(idsOf(await listed(to))).toEqual(idsOf(await listed(from)));
    });

    test("the source is left as it was", async () => {
      const { from, to } = await copied(2);
      const before = await listed(from);
      await copyThread(store.storage, from, to);
      expect(await listed(from)).toEqual(before);
    });

    test("a source that is not there makes no target", async () => {
      const [from, to] = [randomUUID(), randomUUID()];
      expect(await copyThread(store.storage, from, to)).toBeUndefined();
      expect(await listed(to)).toEqual([]);
    });
  });

  describe("delete_for_runs", () => {
    const put = (threadId: string, runId: string, namespace = "", parent?: RunnableConfig) =>
      putAll(store.saver, parent ?? configOf(threadId, namespace), checkpointOf({}), {
        ...METADATA,
        run_id: runId,
      } as CheckpointMetadata);

    const runsIn = async (threadId: string, namespace?: string) =>
      new Set(
        (await listed(threadId, namespace)).map(
          ({ metadata }) => (metadata as Record<string, unknown> | undefined)?.run_id,
        ),
      );
    const ids = (n: number) => Array.from({ length: n }, () => randomUUID()) as [string, string];

    test("one run is removed", async () => {
      const threadId = randomUUID();
      const [run1, run2] = ids(2);
      const first = await put(threadId, run1);
      await put(threadId, run2, "", first);
      expect(await runsIn(threadId)).toEqual(new Set([run1, run2]));
      await deleteForRuns(store.storage, [run1]);
      expect(await runsIn(threadId)).toEqual(new Set([run2]));
    });

    test("several runs are removed", async () => {
      const threadId = randomUUID();
      const [run1, run2, run3] = ids(3) as unknown as [string, string, string];
      const first = await put(threadId, run1);
      const second = await put(threadId, run2, "", first);
      await put(threadId, run3, "", second);
      expect(await deleteForRuns(store.storage, [run1, run2])).toMatchObject({
        threads: 1,
        checkpoints: 2,
      });
      expect(await runsIn(threadId)).toEqual(new Set([run3]));
    });

    test("other runs are left alone", async () => {
      const threadId = randomUUID();
      const [kept, gone] = ids(2);
      await put(threadId, kept);
      await put(threadId, gone);
      await deleteForRuns(store.storage, [gone]);
      expect(await runsIn(threadId)).toEqual(new Set([kept]));
    });

    test("their pending writes are removed", async () => {
      const threadId = randomUUID();
      const [run] = ids(1);
      const stored = await put(threadId, run);
      await store.saver.putWrites(stored, [["ch", "val"]], randomUUID());
      expect((await store.saver.getTuple(stored))?.pendingWrites).toHaveLength(1);
      await deleteForRuns(store.storage, [run]);
      expect(await store.saver.getTuple(stored)).toBeUndefined();
      expect(await store.rows(threadId)).toEqual({
        checkpoints: 0,
        writes: 0,
        values: 0,
        chunks: 0,
      });
    });

    test("an empty list does nothing", async () => {
      expect(await deleteForRuns(store.storage, [])).toMatchObject({ threads: 0, checkpoints: 0 });
    });

    test("a run that is not there is passed over", async () => {
      expect(await deleteForRuns(store.storage, ids(1))).toMatchObject({ threads: 0 });
    });

    test("all namespaces are cleaned", async () => {
      const threadId = randomUUID();
      const [run] = ids(1);
      await put(threadId, run, "");
      await put(threadId, run, "child:1");
      await deleteForRuns(store.storage, [run]);
      for (const namespace of ["", "child:1"]) {
        expect(await runsIn(threadId, namespace)).toEqual(new Set());
      }
    });
  });
});
