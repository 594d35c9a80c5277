/** A thread that is deleted while a run goes on: what is left is a whole thread or none. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresSaver, ThreadConflictError } from "../../src/index.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { inheritingGraph } from "../langgraph/graphs/subgraphs.ts";
import { checkpointOf, putAll, putValues, threadConfig, threadOf, tuples } from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";

const NOTHING = {
  checkpoints: 0,
  checkpoints_threads: 0,
  checkpoints_values: 0,
  checkpoints_chunks: 0,
  checkpoints_writes: 0,
};
const long = (name: string) => `${name} ${"words ".repeat(400)}`;

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  const left = (config: RunnableConfig) => open.rowCounts(threadOf(config));

  /** Who deletes: the saver that runs, or another process. */
  const deleters: [string, () => PostgresSaver][] = [
    ["the same process", () => open.saver],
    ["another process", () => open.empty()],
  ];

  test("deleteThread removes everything of the thread and nothing of any other", async () => {
    const [gone, kept] = [threadConfig("gone"), threadConfig("kept")];
    for (const config of [gone, kept]) {
      const put = await putValues(open.saver, { list: [long("a"), long("b")] }, config);
      await open.saver.putWrites(put, [["list", long("c")]], "task");
      await putValues(open.saver, { x: 1 }, threadConfigIn(config, "inner"));
    }
    const before = await left(kept);
    await open.saver.deleteThread(threadOf(gone));
    expect(await left(gone)).toEqual(NOTHING);
    expect(await left(kept)).toEqual(before);
    expect(await open.saver.getTuple(gone)).toBeUndefined();
    expect(await tuples(open.saver, gone)).toEqual([]);
    await open.saver.deleteThread(threadOf(gone));
  });

  describe.each(deleters)("deleted by %s", (_, deleter) => {
    test("case 26: a late put or putWrites is refused and leaves nothing", async () => {
      const config = threadConfig("case 26");
      const parent = await putValues(open.saver, { list: [long("a")] }, config);
      await deleter().deleteThread(threadOf(config));
      const late = [
        () =>
          putAll(open.saver, parent, checkpointOf({ list: [long("a"), long("b")] }, { list: 2 })),
        () => open.saver.putWrites(parent, [["list", [long("b")]]], "task"),
        () => putAll(open.saver, parent, checkpointOf({ list: [long("b")] }, { list: 3 })),
      ];
      for (const write of late) {
        const refused = write();
        await expect(refused).rejects.toThrow(ThreadConflictError);
        await expect(refused).rejects.toMatchObject({ code: "THREAD_CONFLICT" });
        expect(await left(config)).toEqual(NOTHING);
      }
    });

    test("case 26: a late put into a thread that was begun anew leaves that one alone", async () => {
      const config = threadConfig("begun anew");
      const parent = await putValues(open.saver, { list: [long("old")] }, config);
      await deleter().deleteThread(threadOf(config));
      await putValues(deleter(), { list: [long("new")] }, config);
      const before = await tuples(open.empty(), config);
      const counts = await left(config);
      const late = putAll(open.saver, parent, checkpointOf({ list: [long("late")] }, { list: 2 }));
      await expect(late).rejects.toThrow(ThreadConflictError);
      const writes = open.saver.putWrites(parent, [["list", [long("late")]]], "task");
      await expect(writes).rejects.toThrow(ThreadConflictError);
      expect(await tuples(open.empty(), config)).toEqual(before);
      expect(await left(config)).toEqual(counts);
    });

    test("case 26: a look at the deleted thread in between changes nothing of that", async () => {
      const config = threadConfig("looked at");
      const parent = await putValues(open.saver, { a: 1 }, config);
      await deleter().deleteThread(threadOf(config));
      expect(await open.saver.getTuple(config)).toBeUndefined();
      expect(await tuples(open.saver, config)).toEqual([]);
      const checkpoint = checkpointOf({ a: 2 }, { a: 2 });
      const late = putAll(open.saver, parent, checkpoint);
      await expect(late).rejects.toThrow(ThreadConflictError);
      const { configurable } = parent;
      const after = { configurable: { ...configurable, checkpoint_id: checkpoint.id } };
      const ofLate = open.saver.putWrites(after, [["a", 3]], "task");
      await expect(ofLate).rejects.toThrow(ThreadConflictError);
      const writes = open.saver.putWrites(parent, [["a", 3]], "task");
      await expect(writes).rejects.toThrow(ThreadConflictError);
      expect(await left(config)).toEqual(NOTHING);
    });

    test("case 26: a fresh run on the deleted thread's id begins a new thread", async () => {
      const config = threadConfig("fresh run");
      const graph = stepsGraph({ checkpointer: open.saver });
      await graph.invoke({ topic: long("tea") }, { ...config, interruptAfter: ["one"] });
      await deleter().deleteThread(threadOf(config));
      const result = await graph.invoke({ topic: long("coffee") }, config);
      expect((result.log as string[])[0]).toBe(`one(${long("coffee")})`);
      expect(result.log).toHaveLength(3);
    });
  });

  test.each(["sync", "async"] as const)(
    "case 26: deleted in the middle of a step, durability %s",
    async (durability) => {
      const config = threadConfig(`in a step, ${durability}`);
      const other = open.empty();
      const graph = chatGraph({
        checkpointer: open.saver,
        reply: () => {
          deleted = other.deleteThread(threadOf(config));
          return long("answer");
        },
      });
      let deleted: Promise<void> | undefined;
      // The thread is there before: a deletion ahead of its first put would find nothing to delete.
      await chatGraph({ checkpointer: open.saver }).invoke({ messages: ["before"] }, config);
      const run = graph.invoke({ messages: [long("question")] }, { ...config, durability });
      const [outcome] = await Promise.allSettled([run]);
      await deleted;
      // The deletion may have come after the step's last put; then it took the whole thread.
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(ThreadConflictError);
      expect(await left(config)).toEqual(NOTHING);
      const again = await chatGraph({ checkpointer: open.saver }).invoke(
        { messages: ["hi"] },
        config,
      );
      expect(texts(again)).toEqual(["hi", "answer 1"]);
    },
  );

  test("case 26: deleted while a subgraph is about to begin", async () => {
    const config = threadConfig("subgraph");
    const other = open.empty();
    let deletions = 0;
    // A saver that loses the thread just before the first checkpoint of the subgraph, which names no parent.
    const checkpointer = open.empty();
    const put = checkpointer.put.bind(checkpointer);
    checkpointer.put = async (at, ...rest) => {
      if (at.configurable?.checkpoint_ns !== "" && deletions === 0) {
        deletions += 1;
        await other.deleteThread(threadOf(config));
      }
      return put(at, ...rest);
    };
    const graph = inheritingGraph({ checkpointer }, false);
    await expect(graph.invoke({}, { ...config, durability: "sync" })).rejects.toThrow(
      ThreadConflictError,
    );
    expect(deletions).toBe(1);
    expect(await left(config)).toEqual(NOTHING);
  });

  test("case 30: deleteThread while a run writes leaves a whole thread or none", async () => {
    const ends = { whole: 0, none: 0 };
    for (let round = 0; round < 12; round += 1) {
      const config = threadConfig(`case 30, ${round}`);
      const other = open.empty();
      const graph = stepsGraph({ checkpointer: open.saver });
      const run = graph.invoke({ topic: long(`round ${round}`) }, config);
      run.catch(() => {});
      // Not a wait for something: the rounds meet the run at different places.
      for (let i = 0; i < round * 3; i += 1) await new Promise(setImmediate);
      await other.deleteThread(threadOf(config));
      const [outcome] = await Promise.allSettled([run]);
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(ThreadConflictError);
      const found = await tuples(open.empty(), config);
      if (found.length === 0) {
        expect(await left(config)).toEqual(NOTHING);
        ends.none += 1;
        continue;
      }
      ends.whole += 1;
      expect(outcome.status).toBe("fulfilled");
      const ids = new Set(found.map(({ checkpoint }) => checkpoint.id));
      const roots = found.filter(({ parentConfig }) => !parentConfig);
      expect(roots).toHaveLength(1);
      for (const { parentConfig } of found) {
        if (parentConfig) expect(ids).toContain(parentConfig.configurable?.checkpoint_id);
      }
      expect((await graph.getState(config)).values.log).toHaveLength(3);
    }
    expect(ends.whole + ends.none).toBe(12);
  });
});

function threadConfigIn(config: RunnableConfig, namespace: string): RunnableConfig {
  return { configurable: { ...config.configurable, checkpoint_ns: namespace } };
}
