/** Threads of the official package's tables, taken over by an encrypted store as they are touched. */
import { HumanMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import type { StorageSettings } from "../../src/options.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";
import { checkpointOf, METADATA, putAll } from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { picture } from "../langgraph/picture.ts";
import { expectTidy, type OpenStore, openStore, server } from "../retention/store.ts";
import { adoptingFrom, type Official, official } from "../transfer/official.ts";
import { configOf, KINDS } from "../transfer/official-threads.ts";
import { under } from "./material.ts";

let store: OpenStore;
let source: Official;
beforeAll(async () => {
  store = await openStore(server, under(["a"]));
  source = await official(store);
});
afterAll(async () => {
  await source?.close();
  await store?.close();
});

/** A saver that adopts and knows nothing yet; strict, unless it is told otherwise. */
const swapped = (settings: StorageSettings = under(["a"])) =>
  new PostgresSaver(adoptingFrom(store, source, settings));
/** One that has only what is here. */
const opened = (settings: StorageSettings) => new PostgresSaver(store.another(settings));
const keyless = { encryption: undefined } as unknown as StorageSettings;
const begin = (id: string, topic = "tea") =>
  stepsGraph({ checkpointer: source.saver }).invoke({ topic }, configOf(id));
const pictureOf = (saver: PostgresSaver | Official["saver"], id: string) =>
  picture(stepsGraph({ checkpointer: new MemorySaver() }), saver, id);

test("threads of every kind read as they do there, and go on as they would have there", async () => {
  for (const { name: id, begin, finish } of KINDS) {
    await begin(source.saver, configOf(id));
    expect(await pictureOf(swapped(), id), id).toStrictEqual(await pictureOf(source.saver, id));
    const saver = swapped();
    const here = await finish(saver, configOf(id));
    expect(here, id).toEqual(await finish(source.saver, configOf(id)));
    // Strict, with an empty memory, and with nothing left to adopt.
    const read = await pictureOf(opened(under(["a"])), id);
    expect(read, id).toStrictEqual(await pictureOf(saver, id));
    await expect(opened(keyless).getTuple(configOf(id))).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
  }
  await expectTidy(store);
}, 60_000);

/** Where the mark stands, one word for each way into the official tables. */
const WAYS = ["state", "answer", "inline", "metadata", "write", "interrupt", "resume"] as const;
const word = (mark: string, way: string): string => `${mark}${way}${mark}`;

async function fill(mark: string): Promise<void> {
  const checkpointer = source.saver;
  const message = new HumanMessage(`${word(mark, "state")} `.repeat(100));
  const chat = chatGraph({ checkpointer, reply: () => word(mark, "answer") });
  await chat.invoke({ messages: [message] }, configOf(mark));
  const note = { ...METADATA, note: word(mark, "metadata") };
  const side = { configurable: { thread_id: mark, checkpoint_ns: "side" } };
  const at = await putAll(
    checkpointer,
    side,
    checkpointOf({ small: word(mark, "inline") }),
    note as never,
  );
  const writes = [
    ["small", word(mark, "write")],
    ["__interrupt__", { value: word(mark, "interrupt") }],
    ["__resume__", word(mark, "resume")],
  ];
  await checkpointer.putWrites(at, writes as [string, unknown][], "task");
}

/** The ways that are found in any row of these tables, as text, or as its bytes in hex or base64. */
async function found(mark: string, tables: readonly string[]): Promise<string[]> {
  const rows = tables.map((table) => `SELECT t::text AS row FROM ${table} t`).join(" UNION ALL ");
  const all = (await store.sql<{ row: string }>(rows)).map(({ row }) => row).join("\n");
  expect(all.length).toBeGreaterThan(1000);
  return WAYS.filter((way) => {
    // Base64 has no beginning of its own: what stands for the word depends on what is before it.
    const base64 = [0, 1, 2].map((before) =>
      Buffer.from(`${" ".repeat(before)}${word(mark, way)}`)
        .toString("base64")
        .slice(4, -4),
    );
    const hex = Buffer.from(word(mark, way)).toString("hex");
    return [word(mark, way), hex, ...base64].some((form) => all.includes(form));
  });
}

const own = (tableName: string): string[] =>
  ["", "_threads", "_values", "_chunks", "_writes", "_adoptions"].map(
    (suffix) => `:schema."${tableName}${suffix}"`,
  );

test("nothing of an adopted thread stands in our tables; without keys all of it does", async () => {
  const mark = "zqharbour";
  await fill(mark);
  const theirs = ["checkpoints", "checkpoint_blobs", "checkpoint_writes"];
  const all = await found(
    mark,
    theirs.map((table) => `"${source.schema}".${table}`),
  );
  expect(all).toEqual(WAYS);
  const goOn = async (saver: PostgresSaver): Promise<string[]> => {
    const chat = chatGraph({ checkpointer: saver, reply: () => word(mark, "answer") });
    return texts(await chat.invoke({ messages: [word(mark, "state")] }, configOf(mark)));
  };
  const plain = swapped({ ...keyless, tableName: "plain", autoMigrate: true });
  const sealed = swapped();
  const before = await goOn(plain);
  expect(before).toHaveLength(4);
  expect(await found(mark, own("plain"))).toEqual(WAYS);
  expect(await goOn(sealed)).toEqual(before);
  expect(await found(mark, own("checkpoints"))).toEqual([]);
  // With another key too, and in what a rewrite leaves.
  const { pool } = store.storage.database;
  const schema = store.storage.names.schemaName;
  await using records = PostgresCheckpointStore.fromPool(pool, { schema, ...under(["b", "a"]) });
  expect(await records.reencrypt()).toMatchObject({ refused: [] });
  expect(await found(mark, own("checkpoints"))).toEqual([]);
  const tuple = await opened(under(["b"])).getTuple({
    configurable: { thread_id: mark, checkpoint_ns: "side" },
  });
  expect(tuple?.metadata).toMatchObject({ note: word(mark, "metadata") });
  expect(tuple?.pendingWrites).toHaveLength(3);
});

test("what an old process adds comes over under the key that writes by then", async () => {
  const id = "grown";
  await begin(id);
  expect(await swapped().getTuple(configOf(id))).toBeDefined();
  await begin(id, "ink");
  expect(await pictureOf(swapped(under(["b", "a"])), id)).toStrictEqual(
    await pictureOf(source.saver, id),
  );
  const { pool } = store.storage.database;
  const schema = store.storage.names.schemaName;
  await using records = PostgresCheckpointStore.fromPool(pool, { schema, ...under(["b", "a"]) });
  expect(await records.reencrypt({ threads: [id] })).toMatchObject({ threads: 1, refused: [] });
  expect(await pictureOf(opened(under(["b"])), id)).toStrictEqual(
    await pictureOf(source.saver, id),
  );
});

test("an import into an encrypted store proves what it sealed, and passes over what was adopted", async () => {
  const ids = ["adopted", "imported"];
  for (const id of ids) await begin(id);
  await swapped().getTuple(configOf("adopted"));
  const report = await importOfficial(store.another(), { schema: source.schema, threads: ids });
  expect(report).toMatchObject({ threads: 1, unchanged: 1, diverged: [], refused: [] });
  for (const id of ids) {
    expect(await pictureOf(opened(under(["a"])), id)).toStrictEqual(
      await pictureOf(source.saver, id),
    );
  }
});

test("a thread that a process without keys adopted is refused until it was rewritten", async () => {
  const id = "in the clear";
  await begin(id);
  const there = await pictureOf(source.saver, id);
  expect(await pictureOf(swapped(keyless), id)).toStrictEqual(there);
  await expect(swapped().getTuple(configOf(id))).rejects.toMatchObject({
    code: "PLAINTEXT_REFUSED",
  });
  const lenient = under(["a"], { allowPlaintext: true });
  const { pool } = store.storage.database;
  const schema = store.storage.names.schemaName;
  await using records = PostgresCheckpointStore.fromPool(pool, { schema, ...lenient });
  expect(await records.reencrypt({ threads: [id] })).toMatchObject({ threads: 1, refused: [] });
  expect(await pictureOf(swapped(), id)).toStrictEqual(there);
});

test("a process without keys adds nothing in the clear to a thread that is encrypted", async () => {
  const id = "sealed and grown";
  await begin(id);
  const before = await pictureOf(swapped(), id);
  await begin(id, "ink");
  const blind = swapped(keyless);
  await expect(blind.getTuple(configOf(id))).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
  expect(await pictureOf(opened(under(["a"])), id)).toStrictEqual(before);
  expect(await pictureOf(swapped(), id)).toStrictEqual(await pictureOf(source.saver, id));
});
