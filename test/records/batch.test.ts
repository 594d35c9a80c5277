/** Batches: all or none, whatever they hold and whoever writes beside them. */
import { describe, expect, test } from "vitest";
import { DuplicateCheckpointError } from "../../src/index.ts";
import { both, failure, fresh, newest, randomText, useStore } from "./open-store.ts";

describe.each(both)("saveBatch on $name", (backend) => {
  const fixture = useStore(backend);

  test("saves records of many threads, in their order", async () => {
    const { store, another } = fixture.current;
    const threads = Array.from({ length: 20 }, () => fresh("thread"));
    const records = Array.from({ length: 200 }, (_, i) => ({
      id: fresh("cp"),
      threadId: threads[(i * 7) % 20] as string,
      state: { i, text: randomText(50) },
    }));
    const saved = await store.saveBatch(records);
    expect(saved.map(({ id }) => id)).toEqual(records.map(({ id }) => id));
    const cold = another();
    for (const threadId of threads) {
      const mine = saved.filter((one) => one.threadId === threadId);
      const read = await cold.listByThread(threadId);
      expect(read).toEqual(mine);
      expect(read.map(({ version }) => version)).toEqual(mine.map((_, i) => i + 1));
      // Saved together, and still in order by time.
      const byTime = await cold.listWithOptions({ threadId, orderBy: "createdAt ASC" });
      expect(byTime.checkpoints).toEqual(mine);
    }
    expect(await store.saveBatch([])).toEqual([]);
  });

  test("a version that one record brings is counted on from, and not before it", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    await store.save({ id: fresh("cp"), threadId, state: 0 });
    const saved = await store.saveBatch([
      { id: fresh("cp"), threadId, state: 1 },
      { id: fresh("cp"), threadId, state: 2, version: 50 },
      { id: fresh("cp"), threadId, state: 3, version: 7 },
      { id: fresh("cp"), threadId, state: 4 },
    ]);
    const [before, brought, older, after] = saved.map(({ version }) => version);
    expect([before, brought, older]).toEqual([2, 50, 7]);
    expect(after).toBeGreaterThan(50);
  });

  test("the last of several with one id wins", async () => {
    const { store } = fixture.current;
    const [id, threadId] = [fresh("cp"), fresh("thread")];
    await store.saveBatch([1, 2, 3].map((state) => ({ id, threadId, state })));
    expect(await store.listByThread(threadId)).toMatchObject([{ id, state: 3, version: 3 }]);
    const twice = [1, 2].map((state) => ({ id: `${id}x`, threadId, state }));
    expect(await failure(store.saveBatch(twice, { ifExists: "error" }))).toBeInstanceOf(
      DuplicateCheckpointError,
    );
    expect(await store.listByThread(threadId)).toHaveLength(1);
  });

  test("one record that is refused keeps all away", async () => {
    const { store, sql } = fixture.current;
    const [there, begun, anew] = [fresh("cp"), fresh("thread"), fresh("thread")];
    await store.save({ id: there, threadId: begun, state: "old" });
    const records = [
      ...Array.from({ length: 30 }, () => ({
        id: fresh("cp"),
        threadId: anew,
        state: randomText(2000),
      })),
      { id: fresh("cp"), threadId: begun, state: 1 },
      { id: there, threadId: begun, state: "new" },
    ];
    const error = await failure(store.saveBatch(records, { ifExists: "error" }));
    expect(error).toMatchObject({ code: "DUPLICATE_CHECKPOINT", sqlState: "23505" });
    expect(error.cause).toMatchObject({ code: "23505" });
    expect(await store.listByThread(begun)).toMatchObject([{ id: there, state: "old" }]);
    expect(await sql("SELECT 1 FROM T_threads WHERE thread_id = $1", [anew])).toEqual([]);
    // What was sent and rolled back is not believed to be stored.
    const rest = records.slice(0, -1);
    await store.saveBatch(rest, { ifExists: "error" });
    const found = await fixture.current.another().listByThread(anew);
    expect(found.map(({ state }) => state)).toEqual(rest.slice(0, 30).map(({ state }) => state));
  });

  test("a version twice, or a taken one, keeps all away", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const of = (version: number) => ({ id: fresh("cp"), threadId, version, state: version });
    await store.saveBatch([of(1), of(2)]);
    for (const batch of [
      [of(3), of(3)],
      [of(4), of(2)],
    ]) {
      expect(await failure(store.saveBatch(batch))).toMatchObject({ sqlState: "23505" });
    }
    expect(await store.listByThread(threadId)).toHaveLength(2);
  });

  test("one record that cannot be serialised keeps all away", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const batch = [
      { id: fresh("cp"), threadId, state: 1 },
      { id: fresh("cp"), threadId, state: { f: () => 1 } },
    ];
    expect(await failure(store.saveBatch(batch))).toMatchObject({
      code: "SERIALIZATION_FAILED",
    });
    expect(await store.listByThread(threadId)).toEqual([]);
  });

  test("what is changed after the call is not what is saved", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const state = { list: ["a"] };
    const saving = [
      store.save({ id: fresh("cp"), threadId, state }),
      store.saveBatch([{ id: fresh("cp"), threadId: `${threadId}b`, state }]),
    ];
    const transaction = store.transaction(async (tx) => {
      const inside = { list: ["a"] };
      const one = tx.save({ id: fresh("cp"), threadId: `${threadId}c`, state: inside });
      inside.list.push("later");
      await one;
      const all = tx.saveBatch([{ id: fresh("cp"), threadId: `${threadId}d`, state: inside }]);
      inside.list.push("later still");
      await all;
    });
    state.list.push("later");
    await Promise.all([...saving, transaction]);
    expect((await store.getLatestByThread(threadId))?.state).toEqual({ list: ["a"] });
    expect((await store.getLatestByThread(`${threadId}b`))?.state).toEqual({ list: ["a"] });
    expect((await store.getLatestByThread(`${threadId}c`))?.state).toEqual({ list: ["a"] });
    expect((await store.getLatestByThread(`${threadId}d`))?.state).toEqual({
      list: ["a", "later"],
    });
  });

  test("a thread that was deleted or pruned behind the store's back is no obstacle", async () => {
    const { store, another } = fixture.current;
    const [gone, pruned] = [fresh("thread"), fresh("thread")];
    const list = Array.from({ length: 30 }, () => randomText(400));
    const batch = (n: number) =>
      [gone, pruned].map((threadId) => ({ id: fresh("cp"), threadId, state: { list, n } }));
    await store.saveBatch(batch(0));
    await store.saveBatch(batch(1));
    const other = another();
    await other.deleteThread(gone);
    await other.prune({ threads: [pruned], keepLast: 1 });
    await other.save({ id: fresh("cp"), threadId: pruned, state: 0 });
    await other.prune({ threads: [pruned], keepLast: 1 });
    const saved = await store.saveBatch(batch(2));
    const cold = another();
    for (const { id } of saved) expect((await cold.load(id)).state).toEqual({ list, n: 2 });
  });
});

describe("batches of several writers", () => {
  const fixture = useStore(newest);

  test("overlapping batches in opposite order neither deadlock nor mix", async () => {
    const { another, sql } = fixture.current;
    const threads = Array.from({ length: 12 }, () => fresh("thread"));
    const deadlocks = async () =>
      (
        await sql(
          "SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()",
        )
      )[0]?.n;
    const before = await deadlocks();
    const writers = Array.from({ length: 4 }, (_, w) => ({ w, store: another() }));
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        writers.map(({ w, store }) =>
          store.saveBatch(
            (w % 2 === 0 ? threads : threads.toReversed()).map((threadId) => ({
              id: `${threadId}/${round}/${w}`,
              threadId,
              state: { round, w },
            })),
          ),
        ),
      );
    }
    expect(await deadlocks()).toBe(before);
    for (const threadId of threads) {
      const read = await another().listByThread<{ round: number; w: number }>(threadId);
      expect(read.map(({ version }) => version)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
      for (const { id, state } of read) expect(id).toBe(`${threadId}/${state.round}/${state.w}`);
    }
    // One batch after the other, in every thread the same.
    const [{ n } = { n: 0 }] = await sql(
      "SELECT count(DISTINCT ids)::int AS n FROM (SELECT array_agg(split_part(checkpoint_id, '/', 2) || split_part(checkpoint_id, '/', 3) ORDER BY version) AS ids FROM T WHERE thread_id = ANY ($1) GROUP BY thread_id) x",
      [threads],
    );
    expect(n).toBe(1);
  });

  test("a reader sees all of a batch or nothing of it", async () => {
    const { another } = fixture.current;
    const run = fresh("run");
    const writer = another();
    const reader = another();
    let done = false;
    const writing = (async () => {
      for (let round = 0; round < 15; round += 1) {
        await writer.saveBatch(
          Array.from({ length: 10 }, (_, i) => ({
            id: `${run}/${round}/${i}`,
            threadId: `${run}/${i}`,
            executionId: run,
            state: round,
          })),
        );
      }
      done = true;
    })();
    const seen = new Set<number>();
    while (!done) {
      const { total } = await reader.listWithOptions({ executionId: run, limit: 1 });
      seen.add(total ?? -1);
    }
    await writing;
    expect([...seen].filter((total) => total % 10 !== 0)).toEqual([]);
  });
});
