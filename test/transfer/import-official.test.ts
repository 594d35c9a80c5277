/** Threads of the official package come over whole, and go on here. */
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { picture } from "../langgraph/picture.ts";
import { type OpenStore, openStore } from "../retention/store.ts";
import { backends } from "../support/backends.ts";
import { importing } from "../torture/import-killed.ts";
import { type Official, official } from "./official.ts";
import { configOf, KINDS, kindOf, makeThreads } from "./official-threads.ts";

// The oldest server here, the newest below.
describe.each(backends.filter(({ name }) => name === "postgres-14"))("$name", (backend) => {
  let store: OpenStore;
  let source: Official;
  let ids: string[];
  beforeAll(async () => {
    store = await openStore(backend);
    source = await official(store);
    ids = await makeThreads(source.saver, KINDS.length);
  });
  afterAll(async () => {
    await source.close();
    await store.close();
  });

  test("every kind of thread reads as there, and goes on as it would have there", async () => {
    const before = await source.contents();
    const seen: string[] = [];
    const report = await importOfficial(store.storage, {
      schema: source.schema,
      onProgress: ({ threadId, total }) => seen.push(`${threadId} of ${total}`),
    });
    expect(report).toMatchObject({ threads: ids.length, unchanged: 0, diverged: [], refused: [] });
    expect(report.bytesBefore).toBeGreaterThan(20_000);
    expect(report.bytesAfter).toBeGreaterThan(10_000);
    expect(seen.sort()).toEqual(ids.map((id) => `${id} of ${ids.length}`).sort());
    expect(await source.contents()).toEqual(before);

    const here = new PostgresSaver(store.another());
    for (const [i, id] of ids.entries()) {
      // Both sides as savers and as a graph sees them; then both go on.
      const graph = stepsGraph({ checkpointer: new MemorySaver() });
      expect(await picture(graph, here, id), id).toStrictEqual(
        await picture(graph, source.saver, id),
      );
      const there = await kindOf(i).finish(source.saver, configOf(id));
      expect(await kindOf(i).finish(here, configOf(id)), id).toEqual(there);
    }
  }, 60_000);

  test("again: what went on here stays, what went on there only is added, both is named", async () => {
    // After the test above all threads went on on both sides.
    const both = await importOfficial(store.storage, { schema: source.schema });
    expect(both).toMatchObject({ threads: 0, unchanged: 0, diverged: [...ids].sort() });

    const id = "late";
    const graph = stepsGraph({ checkpointer: source.saver });
    await graph.invoke({ topic: "a" }, configOf(id));
    const options = { schema: source.schema, threads: [id] };
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 1,
      unchanged: 0,
    });
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 0,
      unchanged: 1,
    });
    await graph.invoke({ topic: "b" }, configOf(id));
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 1,
      unchanged: 0,
    });
    const here = stepsGraph({ checkpointer: store.saver });
    const { log } = await here.invoke({ topic: "c" }, configOf(id));
    expect((log as string[]).filter((one) => one.startsWith("one"))).toEqual([
      "one(a)",
      "one(b)",
      "one(c)",
    ]);
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 0,
      unchanged: 1,
    });
  });

  test("versions stay whole numbers until they go on, and then compare", async () => {
    const id = "versions";
    await stepsGraph({ checkpointer: source.saver }).invoke({ topic: "a" }, configOf(id));
    await importOfficial(store.storage, { schema: source.schema, threads: [id] });
    const before = (await store.saver.getTuple(configOf(id)))?.checkpoint.channel_versions ?? {};
    expect(Object.values(before).every(Number.isInteger)).toBe(true);
    await stepsGraph({ checkpointer: store.saver }).invoke({ topic: "b" }, configOf(id));
    const after = (await store.saver.getTuple(configOf(id)))?.checkpoint.channel_versions ?? {};
    expect(Number(after.log)).toBeGreaterThan(Number(before.log));
  });

  test("a pruned thread is not filled up again", async () => {
    const id = "pruned";
    await stepsGraph({ checkpointer: source.saver }).invoke({ topic: "a" }, configOf(id));
    const options = { schema: source.schema, threads: [id] };
    await importOfficial(store.storage, options);
    await store.sql("DELETE FROM :schema.checkpoints WHERE thread_id = $1 AND seq = 1", [id]);
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 0,
      unchanged: 1,
    });
    // But when it goes on there, it cannot be the same thread any more.
    await stepsGraph({ checkpointer: source.saver }).invoke({ topic: "b" }, configOf(id));
    expect(await importOfficial(store.storage, options)).toMatchObject({
      threads: 0,
      diverged: [id],
    });
  });

  test("a value in another format is named, and the others come over", async () => {
    const [bad, good] = ["msgpack", "json"];
    for (const id of [bad, good]) {
      await stepsGraph({ checkpointer: source.saver }).invoke({ topic: id }, configOf(id));
    }
    await store.sql(
      `UPDATE "${source.schema}".checkpoint_blobs SET type = 'msgpack' WHERE thread_id = $1 AND channel = 'log'`,
      [bad],
    );
    const report = await importOfficial(store.storage, {
      schema: source.schema,
      threads: [bad, good],
    });
    expect(report).toMatchObject({ threads: 1, refused: [{ threadId: bad }] });
    expect(report.refused[0]?.message).toMatch(/channel "log" is of type "msgpack"/);
  });

  test("tables that are not the official package's are refused by name", async () => {
    const { schemaName } = store.storage.names;
    await expect(importOfficial(store.storage, { schema: "nowhere" })).rejects.toMatchObject({
      code: "INVALID_SOURCE",
      message: expect.stringContaining('no table "nowhere".checkpoints'),
    });
    await expect(importOfficial(store.storage, { schema: schemaName })).rejects.toMatchObject({
      code: "INVALID_SOURCE",
      message: expect.stringContaining("one of langgraph-postgres itself"),
    });
    await store.sql(`ALTER TABLE "${source.schema}".checkpoint_writes RENAME blob TO data`);
    await expect(importOfficial(store.storage, { schema: source.schema })).rejects.toMatchObject({
      code: "INVALID_SOURCE",
      message: expect.stringMatching(/checkpoint_writes is not a table of .* It lacks blob/),
    });
    await store.sql(`ALTER TABLE "${source.schema}".checkpoint_writes RENAME data TO blob`);
    await expect(importOfficial(store.storage, { parallel: 0 })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  test("what does not read back as it is there is an error", async () => {
    const id = "tampered";
    await stepsGraph({ checkpointer: source.saver }).invoke({ topic: "a" }, configOf(id));
    const { storage } = store;
    const forgetful = {
      ...storage,
      readerIn: (...where: Parameters<typeof storage.readerIn>) => {
        const reader = storage.readerIn(...where);
        return {
          ...reader,
          read: async (...key: Parameters<typeof storage.read>) => {
            const found = await reader.read(...key);
            return found && { ...found, values: new Map([...found.values, ["log", ["forged"]]]) };
          },
        };
      },
    };
    await expect(
      importOfficial(forgetful, { schema: source.schema, threads: [id] }),
    ).rejects.toMatchObject({
      code: "VERIFICATION_FAILED",
      message: expect.stringContaining('channel "log"'),
    });
    expect(await store.rows(id)).toEqual({ checkpoints: 0, writes: 0, values: 0, chunks: 0 });
  });
});

test("60 threads, killed in the middle and resumed: each thread comes over once and continues here", async () => {
  const counts = await importing("import", { threads: 60, kills: 1 }).run({
    seed: 1,
    rounds: 2,
    connString: inject("postgres")["18"],
  });
  expect(counts).toMatchObject({ rounds: 2, kills: 2, "threads that went on": 120 });
}, 60_000);
