/** Invariants 1, 6, 7 and 8: nothing a writer believes is taken on trust. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends } from "../support/backends.ts";
import { checkpoint, type Engine, longList, openEngine } from "./engine.ts";

describe.each(backends)("generations on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  const countRows = async (thread: string) => {
    const [row] = await engine.sql(
      `SELECT (SELECT count(*) FROM T WHERE thread_id = $1)::int AS checkpoints,
        (SELECT count(*) FROM T_values WHERE thread_id = $1)::int AS values,
        (SELECT count(*) FROM T_chunks WHERE thread_id = $1)::int AS chunks,
        (SELECT count(*) FROM T_writes WHERE thread_id = $1)::int AS writes,
        (SELECT count(*) FROM T_threads WHERE thread_id = $1)::int AS threads`,
      [thread],
    );
    return row;
  };

  test("a chunk that is known to be stored is not sent again", async () => {
    const thread = randomUUID();
    const list = longList(100);
    const first = checkpoint(thread, { list });
    await engine.storage.put(first);
    const before = (await countRows(thread))?.chunks as number;
    await engine.sql("UPDATE T_chunks SET payload = payload WHERE false");
    await engine.storage.put(
      checkpoint(
        thread,
        { list: [...list, "one more".repeat(50)] },
        { parentId: first.checkpointId },
      ),
    );
    const added = ((await countRows(thread))?.chunks as number) - before;
    expect(added).toBeGreaterThan(0);
    expect(added).toBeLessThan(10);
  });

  test("a writer whose chunks were collected meanwhile sends them all again", async () => {
    const thread = randomUUID();
    const list = longList(60);
    const first = checkpoint(thread, { list });
    await engine.storage.put(first);
    // What a collector does, with the rudest outcome: everything the writer knows is gone.
    await engine.sql("UPDATE T_threads SET generation = gen_random_uuid() WHERE thread_id = $1", [
      thread,
    ]);
    await engine.sql("DELETE FROM T_chunks WHERE thread_id = $1", [thread]);
    await engine.sql("DELETE FROM T_values WHERE thread_id = $1", [thread]);
    const other = longList(60);
    const all = { list, other };
    const second = checkpoint(thread, all, { parentId: first.checkpointId });
    // Only `other` is new; `list` has the version that was collected.
    await engine.storage.put({
      ...second,
      values: second.values.filter((v) => v.channel === "other"),
    });
    const read = await engine.another().read(thread, "");
    expect(Object.fromEntries(read?.values ?? [])).toEqual(all);
  });

  test("case 26: a late put or putWrites after a deletion is refused and leaves nothing behind", async () => {
    const thread = randomUUID();
    const first = checkpoint(thread, { list: longList(40) });
    await engine.storage.put(first);
    const elsewhere = engine.another();
    expect(await elsewhere.remove(thread)).toBe(true);
    const late = checkpoint(thread, { list: longList(40) }, { parentId: first.checkpointId });
    await expect(engine.storage.put(late)).rejects.toMatchObject({ code: "THREAD_CONFLICT" });
    await expect(
      engine.storage.putWrites({
        threadId: thread,
        namespace: "",
        checkpointId: first.checkpointId,
        taskId: "task",
        taskPath: "",
        writes: [{ idx: 0, channel: "list", value: ["late"] }],
      }),
    ).rejects.toMatchObject({ code: "THREAD_CONFLICT" });
    expect(await countRows(thread)).toEqual({
      checkpoints: 0,
      values: 0,
      chunks: 0,
      writes: 0,
      threads: 0,
    });
  });

  test("case 26: the process that deletes refuses its own late writers too", async () => {
    const thread = randomUUID();
    const first = checkpoint(thread, { a: 1 });
    await engine.storage.put(first);
    await engine.storage.remove(thread);
    await expect(
      engine.storage.put(checkpoint(thread, { a: 2 }, { parentId: first.checkpointId })),
    ).rejects.toMatchObject({ code: "THREAD_CONFLICT" });
    // A run that begins the thread anew is another matter.
    await engine.storage.put(checkpoint(thread, { a: 3 }));
    expect((await engine.storage.read(thread, ""))?.values.get("a")).toBe(3);
  });

  test("a thread that was deleted and begun anew elsewhere refuses the old thread's writer", async () => {
    const thread = randomUUID();
    const first = checkpoint(thread, { a: 1 });
    await engine.storage.put(first);
    const elsewhere = engine.another();
    await elsewhere.remove(thread);
    await elsewhere.put(checkpoint(thread, { a: "new" }));
    await expect(
      engine.storage.put(checkpoint(thread, { a: 2 }, { parentId: first.checkpointId })),
    ).rejects.toThrow(/was deleted and begun anew/);
    expect((await engine.another().read(thread, ""))?.values.get("a")).toBe("new");
  });

  test("case 28: a put that is repeated changes nothing but the counter", async () => {
    const thread = randomUUID();
    const one = checkpoint(thread, { list: longList(30) });
    await engine.storage.put(one);
    const head = checkpoint(thread, { list: longList(30) }, { parentId: one.checkpointId });
    await engine.storage.put(head);
    const before = await countRows(thread);
    await engine.storage.put(one);
    await engine.another().put(one);
    expect(await countRows(thread)).toEqual(before);
    expect((await engine.another().read(thread, ""))?.checkpointId).toBe(head.checkpointId);
  });

  test("memory that is too small, or none, changes nothing but speed", async () => {
    for (const cacheBytes of [0, 2_000]) {
      const small = engine.another({ cacheBytes });
      const thread = randomUUID();
      const list: string[] = [];
      let parentId: string | null = null;
      for (let i = 0; i < 12; i += 1) {
        list.push(...longList(5, `${i}`));
        const next = checkpoint(thread, { list: [...list] }, { parentId });
        await small.put(next);
        parentId = next.checkpointId;
        expect((await small.read(thread, ""))?.values.get("list")).toEqual(list);
      }
      expect((await engine.another().read(thread, ""))?.values.get("list")).toEqual(list);
    }
  });

  test("an expired thread is not there, and the next run begins it anew", async () => {
    const thread = randomUUID();
    await engine.storage.put(checkpoint(thread, { a: "old" }));
    await engine.sql(
      "UPDATE T_threads SET expires_at = now() - interval '1 s' WHERE thread_id = $1",
      [thread],
    );
    expect(await engine.storage.read(thread, "")).toBeUndefined();
    await engine.storage.put(checkpoint(thread, { a: "new" }));
    expect(await countRows(thread)).toMatchObject({ checkpoints: 1, threads: 1 });
    expect((await engine.another().read(thread, ""))?.values.get("a")).toBe("new");
  });

  test("a chunk that is missing or not what its id says is an error that names where", async () => {
    const thread = randomUUID();
    const one = checkpoint(thread, { list: longList(30) });
    await engine.storage.put(one);
    await engine.sql(
      "UPDATE T_chunks SET payload = convert_to('[\"other\"]', 'UTF8') WHERE thread_id = $1 AND children IS NULL",
      [thread],
    );
    await expect(engine.another().read(thread, "")).rejects.toMatchObject({
      code: "CORRUPT_CHECKPOINT",
    });
    await engine.sql("DELETE FROM T_chunks WHERE thread_id = $1 AND children IS NULL", [thread]);
    await expect(engine.another().read(thread, "")).rejects.toThrow(
      new RegExp(
        `Thread "${thread}", checkpoint ${one.checkpointId}, channel "list": chunk \\S+ is missing`,
      ),
    );
  });
});
