/** Finding: by id, thread and execution; in one total order. */
import { describe, expect, test } from "vitest";
import { CheckpointNotFoundError } from "../../src/index.ts";
import { both, failure, fresh, useStore } from "./open-store.ts";

describe.each(both)("finding on $name", (backend) => {
  const fixture = useStore(backend);

  test("an id that is not there is an error for load, and fine for delete", async () => {
    const { store } = fixture.current;
    const error = await failure(store.load("nowhere"));
    expect(error).toBeInstanceOf(CheckpointNotFoundError);
    expect(error).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    expect(await store.delete("nowhere")).toBe(0);
    expect(await store.list("no-run")).toEqual([]);
    expect(await store.listByThread("no-thread")).toEqual([]);
    expect(await store.getLatestByThread("no-thread")).toBeUndefined();
    expect(await store.clear("no-run")).toBe(0);
  });

  test("the newest of several threads that hold an id, or the one that is asked for", async () => {
    const { store } = fixture.current;
    const [id, one, two] = [fresh("cp"), fresh("thread"), fresh("thread")];
    await store.save({ id, threadId: one, state: 1, timestamp: "2026-01-02" });
    await store.save({ id, threadId: two, state: 2, timestamp: "2026-01-01" });
    expect((await store.load(id)).threadId).toBe(one);
    expect((await store.load(id, { threadId: two })).state).toBe(2);
    expect(await failure(store.load(id, { threadId: "other" }))).toMatchObject({
      code: "CHECKPOINT_NOT_FOUND",
    });
  });

  test("the order is total: version, then time, then id", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const at = (day: number) => `2026-01-0${day}T00:00:00Z`;
    // One version in several executions: the time decides, and where that is one too, the id.
    const rows: [id: string, execution: string, version: number, day: number][] = [
      ["e", "x", 2, 1],
      ["b", "y", 1, 3],
      ["c", "z", 1, 2],
      ["d", "w", 1, 2],
      ["a", "v", 1, 4],
      ["f", "u", 3, 1],
    ];
    for (const [id, executionId, version, day] of rows) {
      const name = `${threadId}/${id}`;
      const timestamp = at(day);
      await store.save({ id: name, threadId, executionId, version, timestamp, state: id });
    }
    const order = ["c", "d", "b", "a", "e", "f"];
    const statesOf = (all: readonly { state: unknown }[]) => all.map(({ state }) => state);
    expect(statesOf(await another().listByThread(threadId))).toEqual(order);
    expect((await another().getLatestByThread(threadId))?.state).toBe("f");
    const listed = async (orderBy: "version ASC" | "version DESC") =>
      statesOf((await store.listWithOptions({ threadId, orderBy })).checkpoints);
    expect(await listed("version ASC")).toEqual(order);
    expect(await listed("version DESC")).toEqual(order.toReversed());
    const byTime = await store.listWithOptions({ threadId, orderBy: "createdAt ASC" });
    expect(statesOf(byTime.checkpoints)).toEqual(["e", "f", "c", "d", "b", "a"]);
  });

  test("a record of a thread is found by its thread and by its execution", async () => {
    const { store } = fixture.current;
    const [threadId, other, run] = [fresh("thread"), fresh("thread"), fresh("run")];
    const save = async (thread: string, executionId?: string) =>
      (await store.save({ id: fresh("cp"), threadId: thread, executionId, state: 1 })).id;
    const a = await save(threadId, run);
    const b = await save(threadId);
    const c = await save(other, run);
    const ids = (all: readonly { id: string }[]) => all.map(({ id }) => id).sort();
    expect(ids(await store.listByThread(threadId))).toEqual([a, b].sort());
    expect(ids(await store.list(run))).toEqual([a, c].sort());
    expect(await store.clear(run)).toBe(2);
    expect(ids(await store.listByThread(threadId))).toEqual([b]);
    expect(await store.listByThread(other)).toEqual([]);
    expect(await store.getThread(other)).toBeUndefined();
  });

  test("namespaces keep lines of records apart", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const save = (namespace: string | undefined, state: number) =>
      store.save({ id: fresh("cp"), threadId, namespace, state });
    await save(undefined, 1);
    await save("planner", 2);
    await save("planner/inner", 3);
    await save("", 4);
    const statesOf = async (namespace?: string) =>
      (await store.listByThread(threadId, { namespace })).map(({ state }) => state);
    expect(await statesOf()).toEqual([1, 2, 3, 4]);
    expect(await statesOf("")).toEqual([1, 4]);
    expect(await statesOf("planner")).toEqual([2]);
    expect((await store.getLatestByThread(threadId))?.state).toBe(4);
    expect(await store.getLatestByThread(threadId, { namespace: "planner/inner" })).toMatchObject({
      state: 3,
      namespace: "planner/inner",
    });
    expect(await store.getLatestByThread(threadId, { namespace: "nobody" })).toBeUndefined();
  });

  test("long lists come whole and in order", async () => {
    const { store, another } = fixture.current;
    const [threadId, run] = [fresh("thread"), fresh("run")];
    const records = Array.from({ length: 1203 }, (_, i) => ({
      id: `${threadId}/${i}`,
      threadId,
      executionId: run,
      state: i,
    }));
    await store.saveBatch(records);
    const numbers = records.map(({ state }) => state);
    const cold = another();
    expect((await cold.listByThread(threadId)).map(({ state }) => state)).toEqual(numbers);
    expect((await cold.list(run)).map(({ state }) => state)).toEqual(numbers);
    expect(await cold.clear(run)).toBe(1203);
    expect(await store.listByThread(threadId)).toEqual([]);
  });

  test("deleting takes what only the record needed, and nothing else", async () => {
    const { store, another, sql } = fixture.current;
    const threadId = fresh("thread");
    const list = Array.from({ length: 40 }, (_, i) => `${i} ${"x".repeat(300)}`);
    const a = await store.save({ id: fresh("cp"), threadId, state: { list } });
    const b = await store.save({ id: fresh("cp"), threadId, state: { list: [...list, "more"] } });
    expect(await store.delete(a.id)).toBe(1);
    expect(await failure(store.load(a.id))).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    expect((await another().load(b.id)).state).toEqual({ list: [...list, "more"] });
    // What the store knew to be stored is proven again.
    await store.save({ id: fresh("cp"), threadId, state: { list } });
    expect(await store.delete(b.id)).toBe(1);
    expect((await another().getLatestByThread(threadId))?.state).toEqual({ list });
    for (const { id } of await store.listByThread(threadId)) await store.delete(id);
    const left = await sql(
      `SELECT (SELECT count(*) FROM T_threads WHERE thread_id = $1)::int AS threads,
        (SELECT count(*) FROM T_chunks WHERE thread_id = $1)::int AS chunks,
        (SELECT count(*) FROM T_values WHERE thread_id = $1)::int AS values`,
      [threadId],
    );
    expect(left).toEqual([{ threads: 0, chunks: 0, values: 0 }]);
  });

  test("delete takes the id from all threads, or from one", async () => {
    const { store } = fixture.current;
    const id = fresh("cp");
    const threads = [fresh("thread"), fresh("thread"), fresh("thread")];
    for (const threadId of threads) await store.save({ id, threadId, state: 1 });
    expect(await store.delete(id, { threadId: threads[0] })).toBe(1);
    expect(await store.delete(id)).toBe(2);
    expect(await store.delete(id)).toBe(0);
  });

  test("a copied thread has the same records", async () => {
    const { store } = fixture.current;
    const [from, to] = [fresh("thread"), fresh("thread")];
    const list = Array.from({ length: 30 }, (_, i) => `${i} ${"y".repeat(300)}`);
    for (let i = 1; i <= 3; i += 1) {
      await store.save({
        id: `${from}/${i}`,
        threadId: from,
        state: { list: list.slice(0, 10 * i) },
      });
    }
    await store.copyThread(from, to);
    const copies = await store.listByThread(to);
    expect(copies).toEqual(
      (await store.listByThread(from)).map((one) => ({ ...one, threadId: to })),
    );
    await store.deleteThread(from);
    expect(await store.listByThread(to)).toEqual(copies);
    const next = await store.save({ id: fresh("cp"), threadId: to, state: 1 });
    expect(next.version).toBe(4);
  });
});
