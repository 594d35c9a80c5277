import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backend, servers } from "../support/backends.ts";
import { checkpoint, type Engine, openEngine, pendingWrite as write } from "./engine.ts";
import { lockThread, lockThreads, takeLock } from "./locks.ts";

describe("a thread that stays locked", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(servers[0] as Backend);
  });
  afterAll(() => engine.close());

  /** A storage of that deadline, and threads with a checkpoint. */
  const withThreads = async (deadline: number, count: number) => {
    const storage = engine.another({ deadline });
    const threads = Array.from({ length: count }, () => randomUUID());
    const put = (thread: string) => storage.put(checkpoint(thread, { n: 1 }));
    await Promise.all(threads.map(put));
    const [locked = "", ...free] = threads;
    return { storage, counters: storage.database.counters, put, threads, locked, free };
  };

  test("leaves with no other until it answers again", async () => {
    const { counters, put, locked, free } = await withThreads(2000, 5);
    const unlock = await lockThread(engine, locked);
    try {
      await expect(put(locked)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      for (const isFirst of [true, false]) {
        const { errors } = counters;
        const putLocked = () => Promise.allSettled([put(locked), put(locked)]);
        const before = isFirst ? putLocked() : undefined;
        const ofFree = Promise.all(free.map(put));
        const ofLocked = before ?? putLocked();
        await ofFree;
        expect(counters.errors).toBe(errors);
        await ofLocked;
        expect(counters.errors).toBe(errors + 1);
      }
    } finally {
      await unlock();
    }
    await put(locked);
    const { statements } = counters;
    await Promise.all([locked, ...free].map(put));
    expect(counters.statements).toBe(statements + 1);
  });

  test("is still known for slow when it took or refused what does not wait for the lock of a put", async () => {
    const { storage, counters, put, locked, free } = await withThreads(2000, 5);
    const unlock = await lockThread(engine, locked, "NO KEY UPDATE");
    try {
      await expect(put(locked)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await storage.putWrites(write(locked));
      await expect(storage.put(checkpoint(locked, { n: 1 }), { lease: 99 })).rejects.toMatchObject({
        code: "THREAD_CONFLICT",
      });
      const { errors } = counters;
      const ofLocked = Promise.allSettled([put(locked)]);
      await Promise.all(free.map(put));
      expect(counters.errors).toBe(errors);
      await ofLocked;
    } finally {
      await unlock();
    }
  });

  test("leaves a connection to the others", async () => {
    const { storage, counters, put, locked, free } = await withThreads(2000, 2);
    const unlock = await lockThread(engine, locked);
    try {
      await expect(put(locked)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      const { errors } = counters;
      const ofLocked = [];
      for (const taskId of ["a", "b", "c", "d", "e"]) {
        ofLocked.push(storage.putWrites(write(locked, { taskId })));
        await new Promise(setImmediate);
      }
      const settled = Promise.allSettled(ofLocked);
      await Promise.all(free.map(put));
      expect(counters.errors).toBe(errors);
      await settled;
    } finally {
      await unlock();
    }
  });

  test("leaves a connection to the others while it is looked for", async () => {
    const { counters, put, threads } = await withThreads(1000, 7);
    const [first = "", later = "", ...locked] = threads;
    const unlock = await lockThreads(engine, locked);
    try {
      const { errors } = counters;
      const settled = Promise.allSettled([first, ...locked].map(put));
      await vi.waitFor(() => expect(counters.errors).toBe(errors + 1), 10_000);
      await put(later);
      expect(counters.errors).toBe(errors + 1);
      expect((await settled)[0]?.status).toBe("fulfilled");
    } finally {
      await unlock();
    }
  });

  test("keeps none waiting for ever that was locked with it", async () => {
    const { put, threads } = await withThreads(500, 5);
    const last = threads.at(-1) as string;
    const unlock = await lockThreads(engine, threads.slice(0, -1));
    const unlockLast = await lockThread(engine, last);
    try {
      const alone = [];
      for (const thread of threads) {
        alone.push(put(thread));
        await new Promise(setImmediate);
      }
      for (const { status } of await Promise.allSettled(alone)) expect(status).toBe("rejected");
      await unlockLast();
      await Promise.allSettled(threads.map(put));
      const again = await Promise.allSettled(threads.map(put));
      const rejected = threads.slice(0, -1).map(() => "rejected");
      expect(again.map(({ status }) => status)).toEqual([...rejected, "fulfilled"]);
    } finally {
      await unlock();
    }
  });
});

describe.each(servers)("a server that answers nobody, $name,", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  test("is not asked for one thread after the other", async () => {
    const storage = engine.another({ deadline: 500 });
    const threads = Array.from({ length: 12 }, () => randomUUID());
    for (const thread of threads) await storage.put(checkpoint(thread, { n: 0 }));
    const unlock = await takeLock(engine, "LOCK TABLE T IN EXCLUSIVE MODE");
    try {
      // Together, and then as many threads apart as leave one connection to others, and one more; from the second
      // round on those that failed apart are a batch of their own.
      for (const [round, most] of [
        [1, 5],
        [2, 11],
        [3, 11],
      ] as const) {
        const { errors } = storage.database.counters;
        const results = await Promise.allSettled(
          threads.map((thread) => storage.put(checkpoint(thread, { round }))),
        );
        for (const one of results) {
          expect(one).toMatchObject({ reason: { code: "DEADLINE_EXCEEDED" } });
        }
        expect(storage.database.counters.errors - errors).toBeLessThanOrEqual(most);
      }
    } finally {
      await unlock();
    }
    // Those that failed apart go together again, and then all.
    for (const most of [2, 1]) {
      const { statements } = storage.database.counters;
      await Promise.all(threads.map((thread) => storage.put(checkpoint(thread, { most }))));
      expect(storage.database.counters.statements - statements).toBeLessThanOrEqual(most);
    }
  });
});
