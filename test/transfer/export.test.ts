/** Threads go out as JSON Lines and come back exactly. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { prune } from "../../src/retention/prune.ts";
import { exportThreads } from "../../src/transfer/export-threads.ts";
import { importThreads } from "../../src/transfer/import-threads.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { type OpenStore, openStore } from "../retention/store.ts";
import { checkpoint, longList } from "../storage/engine.ts";
import { backends } from "../support/backends.ts";
import { configOf, KINDS, kindOf, makeThreads } from "./official-threads.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Every row, but for what belongs to one place only: the generation of a thread. */
async function contents(store: OpenStore): Promise<unknown> {
  const found: Record<string, unknown> = {};
  for (const suffix of ["", "_values", "_chunks", "_writes"]) {
    found[suffix] = await store.sql(
      `SELECT to_jsonb(t)::text AS row FROM :schema.checkpoints${suffix} t ORDER BY to_jsonb(t)::text`,
    );
  }
  found.threads = await store.sql(
    "SELECT thread_id, last_seq, created_at::text, updated_at::text, expires_at::text FROM :schema.checkpoints_threads ORDER BY 1",
  );
  return found;
}

describe.each(backends.filter(({ name }) => name !== "postgres-14"))("$name", (backend) => {
  let from: OpenStore;
  let to: OpenStore;
  let ids: string[];
  beforeAll(async () => {
    [from, to] = [await openStore(backend), await openStore(backend)];
    ids = await makeThreads(from.saver, KINDS.length);
    const graph = deltaGraph({ checkpointer: from.saver, snapshotFrequency: 4 });
    for (const turn of [1, 2, 3]) await graph.invoke({ log: [`input ${turn}`] }, configOf("delta"));
    // Hidden ancestors are rows like any others.
    await prune(from.storage, { threads: ["delta"], keepLast: 1 });
    const odd = {
      "\u0000 key": ["\ud800", "é\n\u2028"],
      big: longList(300),
      page: ["a page ".repeat(1000)], // Compressed in a store, and not in an export.
      bytes: new Uint8Array([0, 255, 10]),
    };
    await from.storage.put(
      checkpoint("odd é\n", odd, {
        expiresAt: Date.now() + 9e8,
        executionId: "run",
        nodeName: "\u0000",
      }),
    );
    await from.storage.putWrites({
      threadId: "odd é\n",
      namespace: "a|b",
      checkpointId: "c",
      taskId: "\u0000t",
      taskPath: "~1",
      writes: [
        { idx: -1, channel: "x", value: longList(50) },
        { idx: 0, channel: "", value: new Uint8Array([200]) },
      ],
    });
  });
  afterAll(async () => {
    await from.close();
    await to.close();
  });

  test("a round trip is exact, and graphs go on with it", async () => {
    const file = join(folder, `${backend.name}.jsonl.gz`);
    const seen: number[] = [];
    const out = await exportThreads(from.storage, file, {
      onProgress: ({ done, total = 0 }) => seen.push(done / total),
    });
    expect(out.threads).toBe(ids.length + 2);
    expect(seen.at(-1)).toBe(1);
    const text = gunzipSync(await readFile(file)).toString();
    expect(text.length).toBe(out.characters);
    expect(text).toContain("a page a page");
    expect(text).not.toMatch(/^\{"chunk":.*base64/m);
    const back = await importThreads(to.storage, file);
    expect(back).toEqual({ threads: out.threads, skipped: 0, checkpoints: out.checkpoints });
    expect(await contents(to)).toEqual(await contents(from));
    // Not compressed, by streams, from the copy: byte for byte the same.
    const again = join(folder, `${backend.name}.jsonl`);
    await exportThreads(
      to.storage,
      createWriteStream(again).on("error", () => {}),
    );
    await expect.poll(() => readFile(again, "utf8")).toBe(text);
    expect((await readdir(folder)).filter((name) => name.endsWith(".partial"))).toEqual([]);

    const saver = new PostgresSaver(to.another());
    for (const [i, id] of ids.entries()) {
      const there = await kindOf(i).finish(new PostgresSaver(from.another()), configOf(id));
      expect(await kindOf(i).finish(saver, configOf(id)), id).toEqual(there);
    }
    const graph = deltaGraph({ checkpointer: saver, snapshotFrequency: 4 });
    expect((await graph.invoke({ log: ["input 4"] }, configOf("delta"))).log).toEqual(deltaLog(4));
    await from.sql("DELETE FROM :schema.checkpoints_threads WHERE thread_id = 'nobody'");
  }, 60_000);

  test("one thread; one that is here: an error, skipped, or replaced", async () => {
    const graph = chatGraph({ checkpointer: from.saver });
    await graph.invoke({ messages: ["one"] }, configOf("chat"));
    const file = join(folder, `one-${backend.name}.jsonl`);
    expect(await exportThreads(from.storage, file, { threads: ["chat", "unknown"] })).toMatchObject(
      { threads: 1 },
    );
    await importThreads(to.storage, createReadStream(file));
    const here = chatGraph({ checkpointer: to.saver });
    const turns = async () => (await here.getState(configOf("chat"))).values.turns;
    await here.invoke({ messages: ["two"] }, configOf("chat"));
    await expect(importThreads(to.storage, file)).rejects.toMatchObject({ code: "THREAD_EXISTS" });
    expect(await importThreads(to.storage, file, { ifExists: "skip" })).toMatchObject({
      threads: 0,
      skipped: 1,
    });
    expect(await turns()).toBe(2);
    expect(await importThreads(to.storage, file, { ifExists: "replace" })).toMatchObject({
      threads: 1,
    });
    expect(await turns()).toBe(1);
    await here.invoke({ messages: ["two again"] }, configOf("chat"));
    expect(await turns()).toBe(2);
  });
});

describe("what is not an export, or not a whole one", () => {
  let store: OpenStore;
  let lines: string[];
  beforeAll(async () => {
    store = await openStore(backends.find(({ name }) => name === "embedded") as never);
    for (const id of ["a", "b"]) await store.storage.put(checkpoint(id, { list: longList(40) }));
    const pieces: string[] = [];
    const sink = new Writable({
      write: (piece, _, done) => {
        pieces.push(String(piece));
        done();
      },
    });
    await exportThreads(store.storage, sink);
    lines = pieces.join("").trimEnd().split("\n");
    await store.sql("DELETE FROM :schema.checkpoints_threads");
    for (const table of ["", "_values", "_chunks"])
      await store.sql(`DELETE FROM :schema.checkpoints${table}`);
  });
  afterAll(() => store.close());

  const beginningOfB = () =>
    lines.findIndex((line) => line.startsWith('{"thread":{"thread_id":"b"'));
  const without = (i: number) => lines.filter((_, at) => at !== i);
  const cases: [string, () => string[], string, number][] = [
    ["an empty file", () => [], "is not an export", 0],
    ["some other text", () => ["hello", ...lines], "is not an export", 0],
    ["some other JSON", () => ['{"a":1}'], "is not an export", 0],
    [
      "a newer version",
      () => ['{"format":"langgraph-postgres export","version":2}'],
      "knows formats up to 1",
      0,
    ],
    [
      "a file without its end",
      () => lines.slice(0, -1),
      "its last line is missing. The 2 threads",
      2,
    ],
    [
      "a file that ends within a thread",
      () => lines.slice(0, beginningOfB() + 3),
      'cut off within thread "b"',
      1,
    ],
    [
      "a thread without its end",
      () => without(beginningOfB() - 1),
      "the thread before it has no end",
      0,
    ],
    ["a row that is gone", () => without(beginningOfB() + 2), "it counts", 1],
    [
      "a chunk that is gone without anybody counting",
      () => {
        const gone = lines.findIndex(
          (line, i) => i > beginningOfB() && line.startsWith('{"chunk"'),
        );
        return without(gone).map((line, i) =>
          i > beginningOfB()
            ? line.replace(/"chunks":(\d+)/, (_, count) => `"chunks":${count - 1}`)
            : line,
        );
      },
      "of its thread is missing",
      1,
    ],
    [
      "a line that is none",
      () => lines.map((line, i) => (i === beginningOfB() + 1 ? "{" : line)),
      "is not a line of an export",
      1,
    ],
    [
      "a cell of another type",
      () => lines.map((line) => line.replace(/"seq":"1"/, '"seq":"one"')),
      "seq of the checkpoint",
      0,
    ],
    [
      "a changed chunk",
      () =>
        lines.map((line, i) =>
          i > beginningOfB() && line.startsWith('{"chunk"') ? line.replace("xxx", "xyx") : line,
        ),
      "does not hold what its id says",
      1,
    ],
    [
      "bytes in an index node, of which only the children are in its id",
      () =>
        lines.map((line, i) =>
          i > beginningOfB()
            ? line.replace('"payload":null', '"payload":null,"base64":"AAc="')
            : line,
        ),
      "base64 of the chunk",
      1,
    ],
    [
      "a checkpoint in base64 that is not encrypted",
      () =>
        lines.map((line, i) =>
          i > beginningOfB()
            ? line.replace(/"checkpoint_data":"(\\"|[^"])*"/, '"base64":"e30="')
            : line,
        ),
      "base64 of the checkpoint",
      1,
    ],
    ["a row of no thread", () => without(1), "belongs to no thread", 0],
    [
      "a wrong number of threads",
      () => [...lines.slice(0, -1), '{"done":{"threads":3}}'],
      "it counts 3 threads",
      2,
    ],
  ];
  test.each(cases)("%s is refused, and no half thread is left", async (_, make, message, whole) => {
    const source = Readable.from(make().map((line) => Buffer.from(`${line}\n`)));
    const failure = importThreads(store.storage, source);
    await expect(failure).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_EXPORT|EXPORT_TOO_NEW/),
      message: expect.stringContaining(message),
    });
    const rows = await store.rows();
    expect(rows.checkpoints).toBe(whole);
    expect(await store.sql("SELECT 1 FROM :schema.checkpoints_threads")).toHaveLength(whole);
    expect(rows.chunks === 0).toBe(whole === 0);
    for (const table of ["", "_values", "_chunks", "_threads"])
      await store.sql(`DELETE FROM :schema.checkpoints${table}`);
  });

  test("a compressed file that is cut off, or is not compressed", async () => {
    const file = join(folder, "cut.jsonl.gz");
    const bytes = gzipSync(`${lines.join("\n")}\n`);
    for (const content of [bytes.subarray(0, -20), Buffer.from(lines.join("\n"))]) {
      await writeFile(file, content);
      await expect(
        importThreads(store.storage, file, { ifExists: "replace" }),
      ).rejects.toMatchObject({ code: "INVALID_EXPORT" });
    }
  });

  test("memory does not grow with a thread: a slow reader stops the export", async () => {
    await store.storage.put(checkpoint("large", { list: longList(3000) }));
    let waiting = 0;
    let most = 0;
    const slow = new Writable({
      highWaterMark: 1000,
      write(_, __, done) {
        setImmediate(() => {
          waiting -= 1;
          done();
        });
      },
    });
    const write = slow.write.bind(slow);
    slow.write = ((piece: string) => {
      waiting += 1;
      most = Math.max(most, waiting);
      return write(piece);
    }) as never;
    await exportThreads(store.storage, slow, { threads: ["large"] });
    expect(most).toBeLessThan(20);
  });
});
