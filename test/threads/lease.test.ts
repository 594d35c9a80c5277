import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acquireThread } from "../../src/threads/lease.ts";
import { checkpoint, type Engine, openEngine } from "../storage/engine.ts";
import { backends } from "../support/backends.ts";

const conflict = { code: "THREAD_CONFLICT" };

describe.each(backends)("thread leases on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  /** What time does to a lease whose holder was stopped: nobody renewed it. */
  const expire = (thread: string) =>
    engine.sql(
      "UPDATE T_threads SET lease_expires_at = now() - interval '1 s' WHERE thread_id = $1",
      [thread],
    );

  test("the holder writes, a second holder has to wait for the release", async () => {
    const thread = randomUUID();
    const lease = await acquireThread(engine.storage, thread);
    await engine.storage.put(checkpoint(thread, { a: 1 }), { lease: lease.token });
    await expect(acquireThread(engine.another(), thread)).rejects.toMatchObject(conflict);
    const waiting = acquireThread(engine.another(), thread, { wait: "20s" });
    await lease.release();
    const next = await waiting;
    expect(next.token).toBeGreaterThan(lease.token);
    expect(next.config).toEqual({ configurable: { thread_id: thread, lease_token: next.token } });
    await next.release();
  });

  test("case 25: a holder that was stopped and wakes up late changes nothing", async () => {
    const thread = randomUUID();
    const stopped = await acquireThread(engine.storage, thread);
    const first = checkpoint(thread, { a: 1 });
    await engine.storage.put(first, { lease: stopped.token });
    await expire(thread);
    const successor = engine.another();
    const lease = await acquireThread(successor, thread);
    const theirs = checkpoint(thread, { a: "theirs" }, { parentId: first.checkpointId });
    await successor.read(thread, "");
    await successor.put(theirs, { lease: lease.token });
    const late = checkpoint(thread, { a: "late" }, { parentId: first.checkpointId });
    await expect(engine.storage.put(late, { lease: stopped.token })).rejects.toMatchObject(
      conflict,
    );
    await expect(
      engine.storage.putWrites(
        {
          threadId: thread,
          namespace: "",
          checkpointId: first.checkpointId,
          taskId: "late",
          taskPath: "",
          writes: [{ idx: 0, channel: "a", value: "late" }],
        },
        { lease: stopped.token },
      ),
    ).rejects.toMatchObject(conflict);
    const head = await engine.another().read(thread, "");
    expect(head?.values.get("a")).toBe("theirs");
    expect((await engine.another().read(thread, "", first.checkpointId))?.writes).toEqual([]);
    await lease.release();
  });

  test("an expired lease refuses its holder even where nobody took over", async () => {
    const thread = randomUUID();
    const lease = await acquireThread(engine.storage, thread);
    await expire(thread);
    await expect(
      engine.storage.put(checkpoint(thread, { a: 1 }), { lease: lease.token }),
    ).rejects.toThrow(/lease on thread .* was lost/);
    await lease.release();
  });

  test("a deleted thread refuses its holder and stays deleted", async () => {
    const thread = randomUUID();
    const lease = await acquireThread(engine.storage, thread);
    await engine.storage.put(checkpoint(thread, { a: 1 }), { lease: lease.token });
    await engine.another().remove(thread);
    await expect(
      engine.storage.put(checkpoint(thread, { a: 2 }), { lease: lease.token }),
    ).rejects.toMatchObject(conflict);
    await expect(
      engine.another().put(checkpoint(thread, { a: 2 }), { lease: lease.token }),
    ).rejects.toMatchObject(conflict);
    expect(await engine.sql("SELECT 1 FROM T_threads WHERE thread_id = $1", [thread])).toEqual([]);
    await lease.release();
  });

  test("it renews itself while it is held, and says when it is lost", async () => {
    const thread = randomUUID();
    const lease = await acquireThread(engine.storage, thread, { ttl: 600 });
    const until = async () =>
      (
        await engine.sql("SELECT lease_expires_at AS at FROM T_threads WHERE thread_id = $1", [
          thread,
        ])
      )[0]?.at;
    const first = await until();
    await expect.poll(until, { timeout: 10_000 }).not.toEqual(first);
    expect(lease.lost.aborted).toBe(false);
    await expire(thread);
    await expect.poll(() => lease.lost.aborted, { timeout: 10_000 }).toBe(true);
    expect(lease.lost.reason).toMatchObject(conflict);
    await lease.release();
  });

  test("impossible options are refused before the database is asked", async () => {
    const bad = (options: object) => acquireThread(engine.storage, "t", options);
    await expect(bad({ ttl: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(bad({ ttl: "soon" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(bad({ tll: "5s" })).rejects.toThrow(/did you mean "ttl"/);
    await expect(acquireThread(engine.storage, "")).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });
});
