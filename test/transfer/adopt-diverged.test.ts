/** An adopted thread that changes in the old tables, or is deleted here: nothing forks silently, nothing comes back. */
import { PassThrough } from "node:stream";
import { Command, MemorySaver } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";
import { interviewGraph } from "../langgraph/graphs/interrupts.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { eventually } from "../support/wait.ts";
import { adoptingFrom, type Official, useOfficial } from "./official.ts";
import { configOf } from "./official-threads.ts";

describe("adopted threads", () => {
  const at = useOfficial();

  /** A process that knows nothing yet. */
  const here = () => new PostgresSaver(adoptingFrom(at.store, at.source));
  const old = (id: string, topic: string) =>
    stepsGraph({ checkpointer: at.source.saver }).invoke({ topic }, configOf(id));
  const run = (id: string, topic: string, saver = here()) =>
    stepsGraph({ checkpointer: saver }).invoke({ topic }, configOf(id));
  const topics = ({ log }: Record<string, unknown>): string =>
    (log as string[]).flatMap((one) => one.match(/^one\((.*)\)$/)?.[1] ?? []).join("");
  const DIVERGED = { code: "THREAD_DIVERGED", name: "ThreadDivergedError" };

  test("changed there after it went on here: every first use names it, and neither side changes", async () => {
    const id = "both";
    await old(id, "a");
    expect(topics(await run(id, "b"))).toBe("ab");
    await old(id, "c");
    const [before, rows] = [await at.source.contents(), await at.store.rows(id)];
    const { storage, saver } = (() => {
      const storage = adoptingFrom(at.store, at.source);
      return { storage, saver: new PostgresSaver(storage) };
    })();
    for (let i = 0; i < 2; i += 1) {
      await expect(saver.getTuple(configOf(id))).rejects.toMatchObject({
        ...DIVERGED,
        message: expect.stringMatching(/"both" was changed here.*--settle/),
      });
    }
    await expect(saver.list(configOf(id)).next()).rejects.toMatchObject(DIVERGED);
    await expect(run(id, "d", saver)).rejects.toMatchObject(DIVERGED);
    await expect(
      saver.getDeltaChannelHistory({ config: configOf(id), channels: ["log"] }),
    ).rejects.toMatchObject(DIVERGED);
    await using records = PostgresCheckpointStore.fromPool(storage.database.pool, {
      schema: storage.names.schemaName,
      adopt: { schema: at.source.schema },
    });
    await expect(records.getLatestByThread(id)).rejects.toMatchObject(DIVERGED);
    await expect(records.saveBatch([{ id: "1", threadId: id, state: {} }])).rejects.toMatchObject(
      DIVERGED,
    );
    // Others are none of its concern.
    await old("neighbour", "a");
    expect(topics(await run("neighbour", "b", saver))).toBe("ab");
    const report = await importOfficial(at.store.storage, {
      schema: at.source.schema,
      threads: [id],
    });
    expect(report).toMatchObject({ threads: 0, diverged: [id] });
    expect(await at.source.contents()).not.toEqual(before);
    expect(await at.store.rows(id)).toEqual(rows);
  });

  test("an operator says which stays", async () => {
    for (const id of ["keep here", "take there"]) {
      await old(id, "a");
      await run(id, "b");
      await old(id, "c");
    }
    const settle = (id: string, side: "here" | "there") =>
      importOfficial(at.store.storage, { schema: at.source.schema, threads: [id], settle: side });
    expect(await settle("keep here", "here")).toMatchObject({ threads: 0, unchanged: 1 });
    expect(topics(await run("keep here", "d"))).toBe("abd");
    expect(await settle("take there", "there")).toMatchObject({ threads: 1, diverged: [] });
    expect(topics(await run("take there", "d"))).toBe("acd");
    // What comes after is noticed again.
    await old("keep here", "e");
    await expect(here().getTuple(configOf("keep here"))).rejects.toMatchObject(DIVERGED);
    for (const options of [{ settle: "here" }, { settle: "both", threads: ["x"] }] as object[]) {
      await expect(importOfficial(at.store.storage, options)).rejects.toMatchObject({
        code: "INVALID_OPTION",
      });
    }
  });

  test("a store that adopts imports, settles, copies, exports", async () => {
    const id = "by the store";
    await old(id, "a");
    await run(id, "b");
    await old(id, "c");
    await using records = PostgresCheckpointStore.fromPool(at.store.storage.database.pool, {
      schema: at.store.storage.names.schemaName,
      adopt: { schema: at.source.schema },
    });
    const threads = { schema: at.source.schema, threads: [id] };
    expect(await records.importOfficial(threads)).toMatchObject({ diverged: [id] });
    expect(await records.importOfficial({ ...threads, settle: "there" })).toMatchObject({
      threads: 1,
    });
    expect(topics(await run(id, "d", records.checkpointer))).toBe("acd");

    const memory = new MemorySaver();
    await stepsGraph({ checkpointer: memory }).invoke({ topic: "m" }, configOf("memory"));
    expect(await records.copyFrom(memory, ["memory"])).toMatchObject({ threads: 1 });
    const file = new PassThrough();
    const [exported, imported] = await Promise.all([
      records.exportThreads(file, { threads: [id, "memory"] }),
      records.importThreads(file, { ifExists: "replace" }),
    ]);
    expect(imported).toMatchObject({ threads: 2, checkpoints: exported.checkpoints });
    expect(topics(await run("memory", "n"))).toBe("mn");
  });

  test("only read here, it follows what the old process does", async () => {
    const id = "followed";
    await old(id, "a");
    await here().getTuple(configOf(id));
    await old(id, "b");
    await here().getTuple(configOf(id));
    expect(topics(await run(id, "c"))).toBe("abc");
  });

  test("a question that was answered on both sides is named, one answered there is taken over", async () => {
    const ask = async (id: string) => {
      await interviewGraph({ checkpointer: at.source.saver }).invoke({}, configOf(id));
      await here().getTuple(configOf(id));
    };
    const answer = (id: string, saver: PostgresSaver | Official["saver"]) =>
      interviewGraph({ checkpointer: saver }).invoke(new Command({ resume: "Ada" }), configOf(id));
    await ask("there");
    await answer("there", at.source.saver);
    expect(await answer("there", here())).toMatchObject({});
    await ask("twice");
    await answer("twice", here());
    await answer("twice", at.source.saver);
    await expect(answer("twice", here())).rejects.toMatchObject(DIVERGED);
    // Only a pending write: no checkpoint has come of it yet.
    await ask("a write");
    const tuple = await at.source.saver.getTuple(configOf("a write"));
    await run("a write", "here");
    await at.source.saver.putWrites(
      tuple?.config ?? {},
      [["name", "Ada"]],
      "00000000-0000-4000-8000-000000000000",
    );
    await expect(here().getTuple(configOf("a write"))).rejects.toMatchObject(DIVERGED);
  });

  test("begun on both sides by itself, it is named; copied here before, it is taken as adopted", async () => {
    await run("twins", "a", at.store.saver);
    await old("twins", "b");
    await expect(here().getTuple(configOf("twins"))).rejects.toMatchObject(DIVERGED);
    await expect(run("twins", "c")).rejects.toMatchObject(DIVERGED);

    await old("copied", "a");
    await importOfficial(at.store.storage, { schema: at.source.schema, threads: ["copied"] });
    await at.store.sql("DELETE FROM :schema.checkpoints_adoptions WHERE thread_id = 'copied'");
    expect(topics(await run("copied", "b"))).toBe("ab");
    await old("copied", "c");
    await expect(here().getTuple(configOf("copied"))).rejects.toMatchObject(DIVERGED);
  });

  const DELETIONS: Record<string, (id: string) => Promise<unknown>> = {
    "by the saver": (id) => here().deleteThread(id),
    "by a saver that does not adopt": (id) => at.store.saver.deleteThread(id),
    "by the store": async (id) => {
      await using records = PostgresCheckpointStore.fromPool(at.store.storage.database.pool, {
        schema: at.store.storage.names.schemaName,
        adopt: { schema: at.source.schema },
      });
      await records.deleteThread(id);
    },
    "by prune": async (id) => {
      await using records = PostgresCheckpointStore.fromPool(at.store.storage.database.pool, {
        schema: at.store.storage.names.schemaName,
        adopt: { schema: at.source.schema },
      });
      await records.prune({ threads: [id], strategy: "delete" });
    },
    "by its time to live": async (id) => {
      const mortal = adoptingFrom(at.store, at.source);
      await at.store.sql(
        "UPDATE :schema.checkpoints_threads SET expires_at = now() WHERE thread_id = $1",
        [id],
      );
      await eventually("it has expired", () => mortal.removeExpired(id));
    },
  };

  test.each(Object.keys(DELETIONS))("deleted %s, it does not come back", async (how) => {
    const id = `deleted ${how}`;
    await old(id, "a");
    await run(id, "b");
    await DELETIONS[how]?.(id);
    expect(await here().getTuple(configOf(id))).toBeUndefined();
    const again = await importOfficial(at.store.storage, {
      schema: at.source.schema,
      threads: [id],
    });
    expect(again).toMatchObject({ threads: 0, unchanged: 1, diverged: [] });
    // It may be begun anew, by any process.
    expect(topics(await run(id, "c"))).toBe("c");
    expect(topics(await run(id, "d"))).toBe("cd");
    await here().deleteThread(id);
    // The old process brings it back to life there.
    await old(id, "e");
    await expect(here().getTuple(configOf(id))).rejects.toMatchObject({
      ...DIVERGED,
      message: expect.stringContaining("was deleted here"),
    });
    await here().deleteThread(id);
    expect(await here().getTuple(configOf(id))).toBeUndefined();
  });

  test.each(["by the saver", "by the store", "by prune"])(
    "deleted %s before it was ever used here, it is not adopted",
    async (how) => {
      const id = `never here, deleted ${how}`;
      await old(id, "a");
      await DELETIONS[how]?.(id);
      expect(await here().getTuple(configOf(id))).toBeUndefined();
      expect(topics(await run(id, "b"))).toBe("b");
    },
  );

  test("rows that are gone from the old tables change nothing here", async () => {
    const id = "cleaned";
    await old(id, "a");
    await run(id, "b");
    await at.source.saver.deleteThread(id);
    expect(topics(await run(id, "c"))).toBe("abc");
  });
});
