/** A save whose answer was lost is repeated, and changes nothing: the row tells whose it is. */
import { beforeAll, describe, expect, test } from "vitest";
import { PostgresCheckpointStore } from "../../src/index.ts";
import { type WrappedPool, wrapPool } from "../contract/wrapped-pool.ts";
import { failure, fresh, newest, useStore } from "./open-store.ts";

describe("lost answers", () => {
  const fixture = useStore(newest);
  let pool: WrappedPool;
  let store: PostgresCheckpointStore;
  beforeAll(() => {
    const { backend } = fixture.current;
    pool = wrapPool(backend.pool);
    store = PostgresCheckpointStore.fromPool(pool, { schema: backend.schema });
  });

  /** The next statement that matches succeeds, and the connection ends before its answer arrives. */
  const loseAnswerOf = (what: RegExp) => {
    pool.afterQuery = (query) => {
      if (!what.test(query.name ?? query.text)) return;
      pool.afterQuery = undefined;
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    };
  };

  test("save: stored once, with one version", async () => {
    const threadId = fresh("thread");
    await store.save({ id: fresh("cp"), threadId, state: 0 });
    loseAnswerOf(/^record/);
    const saved = await store.save({ id: fresh("cp"), threadId, state: 1 });
    expect(store.getMetrics().retries).toBe(1);
    expect(await store.listByThread(threadId)).toMatchObject([
      { version: 1 },
      { id: saved.id, version: 2, timestamp: saved.timestamp },
    ]);
  });

  test("save with ifExists error: its own row is not a duplicate", async () => {
    const threadId = fresh("thread");
    const record = { id: fresh("cp"), threadId, state: { a: 1 } };
    loseAnswerOf(/^once/);
    const saved = await store.save(record, { ifExists: "error" });
    expect(saved).toMatchObject({ version: 1, state: { a: 1 } });
    expect(await failure(store.save(record, { ifExists: "error" }))).toMatchObject({
      code: "DUPLICATE_CHECKPOINT",
    });
  });

  test("saveBatch: a lost answer to COMMIT", async () => {
    const threadId = fresh("thread");
    const batch = [1, 2, 3].map((state) => ({ id: fresh("cp"), threadId, state }));
    for (const ifExists of ["replace", "error"] as const) {
      const mine = batch.map((one) => ({ ...one, id: `${one.id}/${ifExists}` }));
      loseAnswerOf(/commit/i);
      const saved = await store.saveBatch(mine, { ifExists });
      expect(saved.map(({ state }) => state)).toEqual([1, 2, 3]);
      expect(await failure(store.saveBatch(mine, { ifExists: "error" }))).toMatchObject({
        code: "DUPLICATE_CHECKPOINT",
      });
    }
    const versions = (await store.listByThread(threadId)).map(({ version }) => version);
    expect(versions.slice(0, 3)).toEqual([1, 2, 3]);
    expect(versions).toHaveLength(6);
  });
});
