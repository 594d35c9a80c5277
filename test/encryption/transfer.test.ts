/** Exports of encrypted stores, and exports into them. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HumanMessage } from "@langchain/core/messages";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import type { StorageSettings } from "../../src/options.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { exportThreads } from "../../src/transfer/export-threads.ts";
import { importThreads } from "../../src/transfer/import-threads.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { type OpenStore, openStore, server } from "../retention/store.ts";
import { marked, under } from "./material.ts";

const config = { configurable: { thread_id: "42", checkpoint_ns: "" } };

describe("exports", () => {
  let open: OpenStore;
  let folder: string;
  let sealed: string;
  let plain: string;
  const stores: Storage[] = [];
  /** A store with tables of its own in the same database. */
  const tables = async (tableName: string, settings: StorageSettings): Promise<Storage> => {
    const { storage } = open;
    const made = openStorage({
      pool: storage.database.pool,
      owned: false,
      settings: { ...settings, schema: storage.names.schemaName, tableName, autoMigrate: true },
    });
    stores.push(made);
    return made;
  };
  const contents = async (storage: Storage): Promise<unknown[]> => {
    const saver = new PostgresSaver(storage);
    const found: unknown[] = [];
    for await (const { checkpoint, metadata, pendingWrites } of saver.list(config)) {
      found.push({ checkpoint, metadata, pendingWrites });
    }
    expect(found.length).toBeGreaterThan(5);
    return found;
  };

  let before: unknown[];
  beforeAll(async () => {
    open = await openStore(server, under(["a"], { plainMetadata: ["source"] }));
    folder = await mkdtemp(join(tmpdir(), "sealed-"));
    sealed = join(folder, "sealed.jsonl");
    plain = join(folder, "plain.jsonl");
    const graph = chatGraph({ checkpointer: open.saver });
    for (const id of ["1", "2"]) {
      await graph.invoke(
        { messages: [new HumanMessage({ id, content: "harbour ".repeat(300) })] },
        config,
      );
    }
    const at = (await graph.getState(config)).config;
    await open.saver.putWrites(
      at,
      [
        ["messages", marked("harbour")],
        ["bytes", new Uint8Array([1, 255])],
      ],
      "task",
    );
    before = await contents(open.storage);
    expect(await exportThreads(open.storage, sealed)).toMatchObject({ threads: 1 });
    expect(await exportThreads(open.storage, plain, { decrypt: true })).toMatchObject({
      threads: 1,
    });
  });
  afterAll(async () => {
    await open?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("an export is encrypted as the store is, unless it is told otherwise", async () => {
    expect(await readFile(sealed, "utf8")).not.toContain("harbour");
    expect(await readFile(plain, "utf8")).toContain("harbour");
    const keyless = openStorage({
      pool: open.storage.database.pool,
      owned: false,
      settings: { schema: open.storage.names.schemaName },
    });
    const again = join(folder, "again.jsonl");
    await exportThreads(keyless, again);
    expect(await readFile(again, "utf8")).toBe(await readFile(sealed, "utf8"));
    await expect(exportThreads(keyless, again, { decrypt: true })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  test("from encrypted to encrypted, under another first key", async () => {
    const there = await tables("rotated", under(["b", "a"]));
    expect(await importThreads(there, sealed)).toMatchObject({ threads: 1 });
    expect(await contents(there)).toEqual(before);
    const only = await tables("rotated", under(["b"]));
    expect(await contents(only)).toEqual(before);
  });

  test("from encrypted to plain and back, in plain text", async () => {
    const there = await tables("plain", {});
    expect(await importThreads(there, plain)).toMatchObject({ threads: 1 });
    expect(await contents(there)).toEqual(before);
    const file = join(folder, "from-plain.jsonl");
    await exportThreads(there, file);
    const back = await tables("back", under(["c"], { plainMetadata: ["source"] }));
    expect(await importThreads(back, file)).toMatchObject({ threads: 1 });
    expect(await contents(back)).toEqual(before);
    const text = await open.sql<{ all: string }>(
      `SELECT string_agg(t.x, ' ') AS all FROM (
        SELECT payload::text AS x FROM :schema.back_values UNION ALL SELECT payload::text FROM :schema.back_chunks
        UNION ALL SELECT checkpoint_data::text FROM :schema.back UNION ALL SELECT metadata::text FROM :schema.back
        UNION ALL SELECT payload::text FROM :schema.back_writes) t`,
    );
    expect(text[0]?.all).not.toContain(Buffer.from("harbour").toString("hex"));
    expect(text[0]?.all).toContain('"source": "loop"');
  });

  test("without the key it is refused, and nothing is imported", async () => {
    for (const [table, settings] of [
      ["keyless", {}],
      ["other", under(["b"])],
    ] as const) {
      const there = await tables(table, settings);
      await expect(importThreads(there, sealed)).rejects.toMatchObject({
        code: "DECRYPTION_FAILED",
      });
      expect(await open.sql(`SELECT FROM :schema.${table}_threads`)).toEqual([]);
    }
  });

  test("a row that was moved or changed in the file is named by its line", async () => {
    const there = await tables("damaged", under(["a"]));
    const lines = (await readFile(sealed, "utf8")).split("\n");
    const { Readable } = await import("node:stream");
    const values = lines.flatMap((line, i) => (line.startsWith('{"value"') ? [i] : []));
    const [one = 0, two = 0] = values;
    const swapped = [...lines];
    const parse = (i: number) => JSON.parse(lines[i] ?? "") as { value: Record<string, unknown> };
    swapped[one] = JSON.stringify({
      value: { ...parse(one).value, base64: parse(two).value.base64 },
    });
    await expect(importThreads(there, Readable.from([swapped.join("\n")]))).rejects.toMatchObject({
      code: "INVALID_EXPORT",
      message: expect.stringMatching(new RegExp(`line ${one + 1}:`)),
    });
    expect(await open.sql("SELECT FROM :schema.damaged_threads")).toEqual([]);
  });
});
