/** What a record costs: its growth, counted in the rows and bytes of the tables. */
import { describe, expect, test } from "vitest";
import { both, fresh, randomText, useStore } from "./open-store.ts";

describe.each(both)("stored bytes on $name", (backend) => {
  const fixture = useStore(backend);

  const held = async (threadId: string) => {
    const [row] = await fixture.current.sql(
      `SELECT (SELECT count(*) FROM T_values WHERE thread_id = $1)::int AS values,
        (SELECT count(*) FROM T_chunks WHERE thread_id = $1)::int AS chunks,
        ((SELECT COALESCE(sum(length(payload)), 0) FROM T_values WHERE thread_id = $1)
          + (SELECT COALESCE(sum(COALESCE(length(payload), 0) + 16 * COALESCE(cardinality(children), 0)), 0)
             FROM T_chunks WHERE thread_id = $1))::int AS bytes`,
      [threadId],
    );
    return row as { values: number; chunks: number; bytes: number };
  };

  test("an unchanged key adds no row", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`f${i}`, randomText(500)]),
    );
    await store.save({ id: fresh("cp"), threadId, state: { files, small: "same", turn: 0 } });
    const first = await held(threadId);
    for (let turn = 1; turn <= 5; turn += 1) {
      // A process that knows nothing, and an object that is not the same one.
      await another().save({
        id: fresh("cp"),
        threadId,
        state: { files: structuredClone(files), small: "same", turn },
      });
    }
    const last = await held(threadId);
    expect(last.values).toBe(first.values + 5);
    expect(last.chunks).toBe(first.chunks);
    expect(await store.listByThread(threadId)).toHaveLength(6);
  });

  test("a growing list costs its growth", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const log: { at: number; text: string }[] = [];
    let written = 0;
    const growth: number[] = [];
    let before = 0;
    for (let i = 0; i < 120; i += 1) {
      log.push({ at: i, text: randomText(400) });
      written += JSON.stringify(log.at(-1)).length;
      await store.save({ id: fresh("cp"), threadId, state: { log, done: false } });
      const { bytes } = await held(threadId);
      growth.push(bytes - before);
      before = bytes;
    }
    // Whole copies would be 60 times the list.
    expect(before).toBeLessThan(1.6 * written);
    const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    expect(mean(growth.slice(-30))).toBeLessThan(3 * mean(growth.slice(5, 35)));
    const { checkpoints } = await store.listWithOptions<{ log: unknown[] }>({ threadId, limit: 1 });
    expect(checkpoints[0]?.state.log).toEqual(log);
  });

  test("a batch of growing lists is sent once, too", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const log = Array.from({ length: 60 }, () => randomText(400));
    await store.saveBatch(
      log.map((_, i) => ({ id: fresh("cp"), threadId, state: { log: log.slice(0, i + 1) } })),
    );
    expect((await held(threadId)).bytes).toBeLessThan(1.6 * 60 * 400);
    const all = await store.listByThread<{ log: string[] }>(threadId);
    expect(all.map(({ state }) => state.log.length)).toEqual(log.map((_, i) => i + 1));
  });

  test("what the metrics say was stored is what is there", async () => {
    const { another } = fixture.current;
    const store = another();
    const threadId = fresh("thread");
    const log: string[] = [];
    for (let i = 0; i < 50; i += 1) {
      log.push(randomText(500));
      await store.save({ id: fresh("cp"), threadId, state: { log } });
    }
    const { bytesStored, bytesDeduplicated, cache } = store.getMetrics();
    const { bytes } = await held(threadId);
    expect(bytesStored).toBeGreaterThan(0.7 * bytes);
    expect(bytesStored).toBeLessThan(2 * bytes);
    // The sum of all lists, less what was sent of them.
    const all = (50 * 51 * 500) / 2;
    expect(bytesDeduplicated).toBeGreaterThan(0.9 * (all - bytes));
    expect(bytesDeduplicated).toBeLessThan(1.1 * all);
    await store.getLatestByThread(threadId);
    expect(store.getMetrics().cache.hits).toBe(cache.hits + 1);
    const cold = another();
    await cold.getLatestByThread(threadId);
    expect(cold.getMetrics().cache).toMatchObject({ hits: 0, misses: 1 });
    expect(cold.getMetrics().cache.bytes).toBeGreaterThan(25_000);
  });
});
