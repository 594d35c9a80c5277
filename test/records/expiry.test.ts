/** Time to live: what has expired is gone at once, for every way of looking at it. */
import { describe, expect, test } from "vitest";
import { both, failure, fresh, useStore } from "./open-store.ts";

describe.each(both)("expiry on $name", (backend) => {
  const fixture = useStore(backend);

  /** As if the thread, or the record, had been there for so much longer. */
  const age = async (threadId: string, interval: string) => {
    const older = `SET expires_at = expires_at - interval '${interval}' WHERE thread_id = $1`;
    await fixture.current.sql(`UPDATE T ${older}`, [threadId]);
    await fixture.current.sql(`UPDATE T_threads ${older}`, [threadId]);
  };

  test("an expired record is invisible at once, and its id and version are free", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const id = fresh("cp");
    const executionId = fresh("run");
    const base = { threadId, executionId, state: 1 };
    await store.save({ ...base, id: fresh("cp"), state: "stays" });
    await store.save({ ...base, id, version: 9, expiresAt: Date.now() - 1 });
    expect(await failure(store.load(id))).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    expect(await store.listByThread(threadId)).toHaveLength(1);
    expect(await store.list(executionId)).toHaveLength(1);
    expect((await store.getLatestByThread(threadId))?.state).toBe("stays");
    expect((await store.listWithOptions({ threadId })).total).toBe(1);

    // In the way of neither another of its version nor another of its id.
    await store.save({ ...base, id: fresh("cp"), version: 9 }, { ifExists: "error" });
    await store.save({ ...base, id, expiresAt: Date.now() - 1 });
    const again = await store.save({ ...base, id, state: "anew" }, { ifExists: "error" });
    expect(await store.load(id)).toEqual(again);
    expect(again).not.toHaveProperty("expiresAt");

    // The same inside a transaction, which a refusal would end.
    const second = fresh("cp");
    await store.save({ ...base, id: second, version: 20, expiresAt: Date.now() - 1 });
    await store.transaction(async (tx) => {
      await tx.save({ ...base, id: second, state: "in tx" }, { ifExists: "error" });
      await tx.save({ ...base, id: fresh("cp"), version: 20 });
    });
    expect((await store.load(second)).state).toBe("in tx");
  });

  test("cleaning up counts exactly, and takes what only they needed", async () => {
    const { store, sql } = fixture.current;
    const [mixed, whole] = [fresh("thread"), fresh("thread")];
    const list = Array.from({ length: 30 }, (_, i) => `${i} ${"x".repeat(300)}`);
    const expired = { expiresAt: new Date(Date.now() - 1000) };
    await store.save({ id: fresh("cp"), threadId: mixed, state: { list } });
    for (let i = 0; i < 3; i += 1) {
      await store.save({
        id: fresh("cp"),
        threadId: mixed,
        state: { list, only: [...list, i] },
        ...expired,
      });
      await store.save({ id: fresh("cp"), threadId: whole, state: i, ...expired });
    }
    const { checkpoints } = await store.cleanupExpired();
    expect(checkpoints).toBeGreaterThanOrEqual(6);
    expect(await store.cleanupExpired()).toEqual({ threads: 0, checkpoints: 0 });
    const left = await sql(
      "SELECT thread_id, count(*)::int AS n FROM T WHERE thread_id = ANY ($1) GROUP BY 1",
      [[mixed, whole]],
    );
    expect(left).toEqual([{ thread_id: mixed, n: 1 }]);
    const [{ values } = { values: 0 }] = await sql(
      "SELECT count(*)::int AS values FROM T_values WHERE thread_id = $1",
      [mixed],
    );
    expect(values).toBe(1);
    expect((await store.getLatestByThread(mixed))?.state).toEqual({ list });
  });

  test("ttl.checkpoints counts for records that say nothing, null means never", async () => {
    const { another } = fixture.current;
    const store = another({ ttl: { checkpoints: "1h" }, sweeper: false });
    const threadId = fresh("thread");
    const said = new Date(Date.now() + 1000);
    const saved = await store.save({ id: fresh("cp"), threadId, state: 1 });
    const own = await store.save({ id: fresh("cp"), threadId, state: 2, expiresAt: said });
    const never = await store.save({ id: fresh("cp"), threadId, state: 3, expiresAt: null });
    expect(Math.abs((saved.expiresAt?.getTime() ?? 0) - Date.now() - 3_600_000)).toBeLessThan(
      60_000,
    );
    expect(own.expiresAt).toEqual(said);
    expect(never).not.toHaveProperty("expiresAt");
    await age(threadId, "2 hours");
    expect((await store.listByThread(threadId)).map(({ state }) => state)).toEqual([3]);
  });

  test("ttl.threads counts from the last write, and takes all of the thread", async () => {
    const { another } = fixture.current;
    const store = another({ ttl: { threads: "1h" }, sweeper: false });
    const threadId = fresh("thread");
    const first = await store.save({ id: fresh("cp"), threadId, state: 1 });
    await age(threadId, "50 minutes");
    await store.save({ id: fresh("cp"), threadId, state: 2 });
    await age(threadId, "50 minutes");
    expect(await store.listByThread(threadId)).toHaveLength(2);
    // Reading alone does not put the end off.
    await age(threadId, "20 minutes");
    expect(await store.listByThread(threadId)).toEqual([]);
    expect(await failure(store.load(first.id))).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    // Begun anew, it counts from one.
    const anew = await store.save({ id: first.id, threadId, state: 3 }, { ifExists: "error" });
    expect(anew.version).toBe(1);
    expect(await store.listByThread(threadId)).toEqual([anew]);
  });

  test('ttl.refresh "read" puts the end off by reading one, not by listing', async () => {
    const { another } = fixture.current;
    const ttl = { threads: "1h", checkpoints: "1h", refresh: "read" } as const;
    const store = another({ ttl, sweeper: false });
    const threadId = fresh("thread");
    const { id } = await store.save({ id: fresh("cp"), threadId, state: 1 });
    const fixed = new Date(Date.now() + 3_000_000);
    const own = await store.save({ id: fresh("cp"), threadId, state: 2, expiresAt: fixed });
    /** To the nearest ten: a thread's end moves in steps of a hundredth of its ttl. */
    const minutesLeft = async () => {
      const end = (await store.getThread(threadId))?.expiresAt?.getTime() ?? 0;
      return 10 * Math.round((end - Date.now()) / 600_000);
    };
    await age(threadId, "30 minutes");
    await another({ ttl, sweeper: false }).listByThread(threadId);
    expect(await minutesLeft()).toBe(30);
    // A store of its own each time: a store does not refresh the same again at once.
    const loaded = await another({ ttl, sweeper: false }).load(id);
    expect(await minutesLeft()).toBe(60);
    expect((await store.load(id)).expiresAt?.getTime()).toBeGreaterThan(
      (loaded.expiresAt?.getTime() ?? 0) + 20 * 60_000,
    );
    await another({ ttl, sweeper: false }).load(own.id);
    expect((await store.load(own.id)).expiresAt?.getTime()).toBeLessThanOrEqual(
      fixed.getTime() - 29 * 60_000,
    );
    await age(threadId, "30 minutes");
    await another({ ttl, sweeper: false }).getLatestByThread(threadId);
    expect(await minutesLeft()).toBe(60);
    // The checkpointer's face does the same.
    await age(threadId, "30 minutes");
    await store.checkpointer.put(
      { configurable: { thread_id: threadId, checkpoint_ns: "" } },
      { v: 4, id: "1f0", ts: "", channel_values: {}, channel_versions: {}, versions_seen: {} },
      { source: "input", step: -1, parents: {} },
      {},
    );
    await age(threadId, "30 minutes");
    const reader = another({ ttl, sweeper: false });
    await reader.checkpointer.getTuple({ configurable: { thread_id: threadId } });
    expect(await minutesLeft()).toBe(60);
  });
});
