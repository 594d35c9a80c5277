/** Retention beside saves: what is saved again while it is being removed stays. */
import { describe, expect, test } from "vitest";
import { removeUnwanted } from "../../src/retention/remove.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { eventually } from "../support/wait.ts";
import { fresh, newest, randomText, useStore } from "./open-store.ts";

describe("records and retention", () => {
  const fixture = useStore(newest);

  test("a record that is saved again between plan and removal is not removed", async () => {
    const { store, backend, another } = fixture.current;
    const storage = openStorage({
      pool: backend.pool,
      owned: false,
      settings: { schema: backend.schema },
    });
    const threadId = fresh("thread");
    const list = Array.from({ length: 30 }, () => randomText(300));
    const ids = Array.from({ length: 6 }, () => fresh("cp"));
    for (const id of ids) await store.save({ id, threadId, state: { list, id } });
    const again = ids[0] ?? "";
    let saved = 0;
    await removeUnwanted(
      storage,
      threadId,
      // Whatever the plan is made of: the newest two.
      {
        showLinks: false,
        wanted: (all) => [...all].sort((a, b) => b.seq - a.seq).slice(0, 2),
      },
      {
        // Asked when the plan is made and the thread is not locked yet.
        guard: async () => {
          if (saved === 0) {
            saved += 1;
            await another().save({ id: again, threadId, state: { list, id: "again" } });
          }
          return true;
        },
      },
    );
    expect(saved).toBe(1);
    const left = await another().listByThread(threadId);
    expect(left.map(({ id }) => id)).toEqual([ids[5], again]);
    expect(left[1]?.state).toEqual({ list, id: "again" });
  });

  test("prune keeps the newest records of each namespace, by version", async () => {
    const { store, another, sql } = fixture.current;
    const threadId = fresh("thread");
    const list = Array.from({ length: 30 }, () => randomText(300));
    for (const namespace of ["", "side"]) {
      for (const version of [30, 10, 20, 50, 40]) {
        const state = { list, version };
        await store.save({ id: fresh("cp"), threadId, namespace, version, state });
      }
    }
    await store.prune({ threads: [threadId], keepLast: 2 });
    const left = await another().listByThread<{ version: number; list: string[] }>(threadId);
    expect(left.map(({ version }) => version)).toEqual([40, 40, 50, 50]);
    for (const one of left) expect(one.state).toEqual({ list, version: one.version });
    const [row] = await sql("SELECT count(*)::int AS n FROM T_values WHERE thread_id = $1", [
      threadId,
    ]);
    expect(row?.n).toBe(6);
    await store.save({ id: fresh("cp"), threadId, state: { list, version: "new" } });
    expect((await another().getLatestByThread(threadId))?.state).toEqual({ list, version: "new" });
  });

  test("maxCheckpoints prunes what is saved, too", async () => {
    const { another } = fixture.current;
    const store = another({ maxCheckpoints: 10 });
    const threadId = fresh("thread");
    let last = 0;
    const save = () => {
      last += 1;
      return store.save({ id: fresh("cp"), threadId, state: { last } });
    };
    while (last < 60) await save();
    // It is pruned beside the saves, as fast as the server can, which need not be as fast as they come.
    await eventually("twenty records or fewer", async () => {
      await save();
      const { length } = await store.listByThread(threadId);
      return length <= 20;
    });
    await store.close();
    const left = await another().listByThread<{ last: number }>(threadId);
    expect(left.length).toBeGreaterThanOrEqual(10);
    expect(left.at(-1)?.state).toEqual({ last });
  });
});
