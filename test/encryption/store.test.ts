/** Everything works as it does in the clear, and nothing can be exchanged. */
import { HumanMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import type { StoreOptions } from "../../src/index.ts";
import { checkpointOf, METADATA, putAll, threadOf, tuples } from "../contract/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { mapReduceGraph } from "../langgraph/graphs/fan-out.ts";
import { interviewGraph } from "../langgraph/graphs/interrupts.ts";
import { sameAsMemory } from "../langgraph/same-as-memory.ts";
import { both, failure, fresh, newest, useStore } from "../records/open-store.ts";
import { marked, under } from "./material.ts";

/** The options of a store without keys. */
const CLEAR = { encryption: undefined } as unknown as StoreOptions;
const config = (thread: string) => ({ configurable: { thread_id: thread, checkpoint_ns: "" } });

describe.each(both)("an encrypted store on $name", (backend) => {
  const fixture = useStore(backend, under(["a"], { plainMetadata: ["user_id"] }));
  const open = () => fixture.current;

  test("graphs leave the same threads as in MemorySaver", async () => {
    const { store } = open();
    await sameAsMemory(store.checkpointer, async (stage) => {
      const graph = chatGraph({ checkpointer: stage.saver });
      for (let turn = 0; turn < 4; turn += 1) {
        const text = `question ${turn} `.repeat(100);
        await graph.invoke(
          { messages: [new HumanMessage({ id: `${turn}`, content: text })] },
          stage.config,
        );
      }
      return { graph, result: undefined };
    });
    await sameAsMemory(store.checkpointer, async (stage) => {
      const graph = interviewGraph({ checkpointer: stage.saver });
      await graph.invoke({}, stage.config);
      return { graph, result: undefined };
    });
    await sameAsMemory(store.checkpointer, async (stage) => {
      const graph = mapReduceGraph({ checkpointer: stage.saver });
      await graph.invoke({ subjects: ["a", "b", "c"] }, stage.config);
      return { graph, result: undefined };
    });
  });

  test("DeltaChannels are rebuilt, and pruned to what they need", async () => {
    const { store, another } = open();
    const thread = fresh("delta");
    const graph = deltaGraph({ checkpointer: store.checkpointer, snapshotFrequency: 3 });
    for (const turn of [1, 2, 3]) await graph.invoke({ log: [`input ${turn}`] }, config(thread));
    const { checkpoints } = await store.prune({ threads: [thread], keepLast: 1 });
    expect(checkpoints).toBeGreaterThan(0);
    const again = deltaGraph({ checkpointer: another().checkpointer, snapshotFrequency: 3 });
    expect((await again.getState(config(thread))).values.log).toEqual(deltaLog(3));
  });

  test("a prune leaves as much as it does in the clear", async () => {
    const { store, another } = open();
    const plain = another({ ...CLEAR, tableName: "plain", autoMigrate: true });
    const left: unknown[] = [];
    for (const one of [store, plain]) {
      const thread = fresh("prune");
      const graph = mapReduceGraph({ checkpointer: one.checkpointer });
      for (const turn of [1, 2]) {
        await graph.invoke({ subjects: [`a${turn}`, "b", "c"] }, config(thread));
      }
      await one.prune({ threads: [thread], keepLast: 2 });
      const found = await one.getThread(thread);
      left.push([found?.checkpoints, found?.writes]);
    }
    expect(left[0]).toEqual(left[1]);
  });

  test("records: saved, found, listed, replaced, in batches and transactions", async () => {
    const { store, another } = open();
    const threadId = fresh("records");
    const list = marked("record");
    await store.save({
      id: `${threadId}-1`,
      threadId,
      state: { list, n: 1 },
      metadata: { user_id: "u", secret: 1 },
    });
    await store.saveBatch([
      { id: `${threadId}-2`, threadId, state: { list: [...list, 1], n: 1 } },
      { id: `${threadId}-3`, threadId, state: "a text" },
    ]);
    await store.transaction(async (tx) => {
      await tx.save({ id: `${threadId}-4`, threadId, state: { list } });
      expect((await tx.load(`${threadId}-4`)).state).toEqual({ list });
    });
    const other = another();
    const all = await other.listByThread(threadId);
    expect(all.map(({ state }) => state)).toEqual([
      { list, n: 1 },
      { list: [...list, 1], n: 1 },
      "a text",
      { list },
    ]);
    expect(all[0]?.metadata).toEqual({ user_id: "u", secret: 1 });
    const again = { id: `${threadId}-1`, threadId, state: { n: 2 } };
    await expect(other.save(again, { ifExists: "error" })).rejects.toMatchObject({
      code: "DUPLICATE_CHECKPOINT",
    });
    await other.save(again);
    expect((await store.getLatestByThread(threadId))?.state).toEqual({ n: 2 });
  });

  test("an unchanged value of a record adds no row, and its version is no hash of it", async () => {
    const { store, sql } = open();
    const [one, two] = [fresh("versions"), fresh("versions")];
    for (const threadId of [one, one, two]) {
      await store.save({ id: fresh("v"), threadId, state: { answer: "yes" } });
    }
    const rows = await sql("SELECT thread_id, version FROM T_values WHERE thread_id = ANY ($1)", [
      [one, two],
    ]);
    expect(rows.map((row) => row.thread_id).sort()).toEqual([one, two]);
    expect(new Set(rows.map((row) => row.version)).size).toBe(2);
  });

  test("filters: by what is listed; anything else is a typed error, everywhere", async () => {
    const { store } = open();
    const { checkpointer } = store;
    const thread = fresh("filters");
    await putAll(checkpointer, config(thread), checkpointOf({ a: 1 }), {
      ...METADATA,
      user_id: "u1",
    } as never);
    const found = await tuples(checkpointer, config(thread), { filter: { user_id: "u1" } });
    expect(found.map(({ metadata }) => metadata)).toEqual([{ ...METADATA, user_id: "u1" }]);
    expect(await tuples(checkpointer, config(thread), { filter: { user_id: "u2" } })).toEqual([]);
    const page = await store.listWithOptions({ threadId: thread, filter: { user_id: "u1" } });
    expect(page.total).toBe(1);
    const threads = await store.listThreads({ metadata: { user_id: "u1" } });
    expect(threads.threads.map(({ threadId }) => threadId)).toEqual([thread]);
    expect(threads.threads[0]?.newest.metadata).toEqual({ user_id: "u1", parents: {} });
    for (const doing of [
      () => tuples(checkpointer, config(thread), { filter: { source: "loop" } }),
      () => store.listWithOptions({ filter: { user_id: "u1", source: "loop" } }),
      () => store.listThreads({ metadata: { source: "loop" } }),
    ]) {
      await expect(doing()).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringMatching(/"source" is encrypted.*plainMetadata/),
      });
    }
  });

  test("a copy is a thread of its own, sealed anew", async () => {
    const { store, another, sql } = open();
    const from = fresh("from");
    const to = fresh("to");
    const graph = chatGraph({ checkpointer: store.checkpointer });
    const long = "long ".repeat(400);
    for (const turn of ["1", "2"]) {
      await graph.invoke(
        { messages: [new HumanMessage({ id: turn, content: long + turn })] },
        config(from),
      );
    }
    await store.save({ id: fresh("record"), threadId: from, state: { list: marked("copied") } });
    const copied = await store.copyThread(from, to);
    expect(copied).toMatchObject({ checkpoints: (await store.getThread(from))?.checkpoints });
    const other = another();
    const copy = chatGraph({ checkpointer: other.checkpointer });
    expect(texts((await copy.getState(config(to))).values)).toEqual(
      texts((await graph.getState(config(from))).values),
    );
    expect((await other.listByThread(to)).length).toBe((await store.listByThread(from)).length);
    const shared = await sql(
      "SELECT a.chunk_id FROM T_chunks a JOIN T_chunks b USING (chunk_id) WHERE a.thread_id = $1 AND b.thread_id = $2",
      [from, to],
    );
    expect(shared).toEqual([]);
    await copy.invoke({ messages: [new HumanMessage("3")] }, config(to));
    expect((await sql("SELECT FROM T_chunks WHERE thread_id = $1", [to])).length).toBeGreaterThan(
      0,
    );
    await expect(store.copyThread(from, to)).rejects.toMatchObject({ code: "THREAD_EXISTS" });
    expect(await store.copyThread(fresh("nobody"), fresh("to"))).toBeUndefined();
    const keyless = another(CLEAR);
    await expect(keyless.copyThread(from, fresh("to"))).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
  });

  test("stats and threads count what is there", async () => {
    const { store } = open();
    const stats = await store.stats();
    expect(stats.deduplication?.logicalBytes).toBeGreaterThan(0);
    const { threads } = await store.listThreads({ limit: 100 });
    expect(threads.length).toBeGreaterThan(5);
    for (const { bytes } of threads) expect(bytes).toBeGreaterThan(0);
  });
});

describe("rows that were exchanged, damaged, or are not readable with these keys", () => {
  const fixture = useStore(newest, under(["a"]));
  const open = () => fixture.current;

  /** Two threads of one shape, two checkpoints each, with trees, small values and pending writes. */
  async function twoThreads(): Promise<[string, string]> {
    const made: string[] = [];
    for (const mark of ["left", "right"]) {
      const thread = fresh(mark);
      let at = await putAll(
        open().store.checkpointer,
        config(thread),
        checkpointOf(
          { list: marked(mark), small: mark },
          { list: 1, small: 1 },
          { id: "1f000000-0000-6000-8000-000000000001" },
        ),
      );
      at = await putAll(
        open().store.checkpointer,
        at,
        checkpointOf(
          { list: marked(mark, 30), small: `${mark} 2` },
          { list: 2, small: 2 },
          { id: "1f000000-0000-6000-8000-000000000002" },
        ),
      );
      await open().store.checkpointer.putWrites(
        at,
        [
          ["list", marked(mark, 9)],
          ["small", mark],
        ],
        "task",
      );
      made.push(threadOf(at));
    }
    return made as [string, string];
  }

  const SWAPS: readonly [string, string][] = [
    [
      "a value with another thread's",
      `UPDATE T_values v SET payload = o.payload, chunks = o.chunks FROM T_values o
      WHERE v.thread_id = $1 AND o.thread_id = $2 AND v.channel = 'small' AND o.channel = 'small' AND v.version = o.version`,
    ],
    [
      "a value with its earlier version",
      `UPDATE T_values v SET payload = o.payload, chunks = o.chunks FROM T_values o
      WHERE v.thread_id = $1 AND o.thread_id = $1 AND $2 <> '' AND v.channel = 'small' AND o.channel = 'small' AND v.version = '2' AND o.version = '1'`,
    ],
    [
      "a value with another channel's",
      `UPDATE T_values v SET payload = o.payload FROM T_values o
      WHERE v.thread_id = $1 AND o.thread_id = $1 AND $2 <> '' AND v.channel = 'small' AND o.channel = 'list' AND v.version = o.version`,
    ],
    [
      "only the chunks of a value",
      `UPDATE T_values v SET chunks = o.chunks FROM T_values o
      WHERE v.thread_id = $1 AND o.thread_id = $1 AND $2 <> '' AND v.channel = 'list' AND o.channel = 'list' AND v.version = '2' AND o.version = '1'`,
    ],
    [
      "a chunk's payload with another's",
      `UPDATE T_chunks k SET payload = (SELECT o.payload FROM T_chunks o
      WHERE o.thread_id = $1 AND o.children IS NULL AND o.chunk_id <> k.chunk_id LIMIT 1)
      WHERE k.thread_id = $1 AND $2 <> '' AND k.children IS NULL`,
    ],
    [
      "the children of an index node",
      `UPDATE T_chunks k SET children = k.children[2:] || k.children[1]
      WHERE k.thread_id = $1 AND $2 <> '' AND cardinality(k.children) > 1`,
    ],
    [
      "a checkpoint's data with another thread's",
      `UPDATE T c SET checkpoint_data = o.checkpoint_data FROM T o
      WHERE c.thread_id = $1 AND o.thread_id = $2 AND c.checkpoint_id = o.checkpoint_id`,
    ],
    [
      "the versions that a checkpoint names",
      `UPDATE T c SET channel_versions = o.channel_versions FROM T o
      WHERE c.thread_id = $1 AND o.thread_id = $1 AND $2 <> '' AND c.seq = 2 AND o.seq = 1`,
    ],
    [
      "a checkpoint's parent",
      `UPDATE T c SET parent_checkpoint_id = checkpoint_id WHERE c.thread_id = $1 AND $2 <> ''`,
    ],
    [
      "a write with another thread's",
      `UPDATE T_writes w SET payload = o.payload FROM T_writes o
      WHERE w.thread_id = $1 AND o.thread_id = $2 AND w.idx = 1 AND o.idx = 1`,
    ],
    [
      "a write's channel",
      `UPDATE T_writes w SET channel = 'other' WHERE w.thread_id = $1 AND $2 <> ''`,
    ],
    [
      "a value's type",
      `UPDATE T_values v SET type = 'sealed-snapshot' WHERE v.thread_id = $1 AND $2 <> ''`,
    ],
    [
      "a bit",
      `UPDATE T_values v SET payload = set_byte(payload, length(payload) - 1, 255 - get_byte(payload, length(payload) - 1))
      WHERE v.thread_id = $1 AND $2 <> ''`,
    ],
    [
      "a value moved to another thread",
      `INSERT INTO T_values SELECT $1, checkpoint_ns, channel, version, type, payload, chunks
      FROM T_values WHERE thread_id = $2 ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO UPDATE
      SET payload = excluded.payload, chunks = excluded.chunks`,
    ],
  ];
  test.each(SWAPS)("%s: CORRUPT_CHECKPOINT, and never a wrong value", async (_, text) => {
    const [left, right] = await twoThreads();
    const intact = await open().another().checkpointer.getTuple(config(left));
    expect(intact?.checkpoint.channel_values.small).toBe("left 2");
    await open().sql(text, [left, right]);
    const error = await failure(open().another().checkpointer.getTuple(config(left)));
    expect(error).toMatchObject({ code: "CORRUPT_CHECKPOINT" });
    expect(error.message).toContain(JSON.stringify(left));
    // The other thread is none the worse.
    const other = await open().another().checkpointer.getTuple(config(right));
    expect(other?.checkpoint.channel_values.list).toEqual(marked("right", 30));
  });

  test("no key, another key of the id, an unknown id: DECRYPTION_FAILED, whoever reads", async () => {
    const [thread] = await twoThreads();
    await open().store.save({ id: `${thread} r`, threadId: thread, state: marked("record") });
    const { encryption: other } = under(["other"]);
    const wrong = { keys: [{ id: "a", key: under(["b"]).encryption.keys[0]?.key ?? "" }] };
    for (const encryption of [undefined, wrong, other]) {
      const store = open().another({ encryption } as never);
      for (const doing of [
        () => store.checkpointer.getTuple(config(thread)),
        () => tuples(store.checkpointer, config(thread)),
        () => store.load(`${thread} r`),
        () => store.listByThread(thread),
        () =>
          store.checkpointer.getDeltaChannelHistory({ config: config(thread), channels: ["list"] }),
      ]) {
        await expect(doing()).rejects.toMatchObject({
          name: "DecryptionError",
          code: "DECRYPTION_FAILED",
        });
      }
    }
  });

  test("rows in the clear are refused, wherever they stand", async () => {
    const store = open().another();
    const plain = open().another(CLEAR);
    const whole = fresh("plain");
    await putAll(plain.checkpointer, config(whole), checkpointOf({ list: marked("plain") }));
    await expect(store.checkpointer.getTuple(config(whole))).rejects.toMatchObject({
      name: "DecryptionError",
      code: "PLAINTEXT_REFUSED",
      message: expect.stringMatching(/allowPlaintext: true.*reencrypt/),
    });
    // One row among sealed ones: whoever can write to the database, but has no key, slips nothing in.
    const forged: [string, string][] = [
      [
        "T_values",
        `UPDATE T_values SET type = 'json', payload = '"forged"', chunks = NULL WHERE thread_id = $1 AND channel = 'small'`,
      ],
      [
        "T_writes",
        `UPDATE T_writes SET type = 'json', payload = '"forged"', chunks = NULL WHERE thread_id = $1`,
      ],
      [
        "T",
        `UPDATE T SET checkpoint_data = '{"checkpoint":{},"metadata":{}}' WHERE thread_id = $1`,
      ],
      ["T_chunks", `UPDATE T_chunks SET payload = '[1]' WHERE thread_id = $1`],
    ];
    for (const [, text] of forged) {
      const [thread] = await twoThreads();
      await open().sql(text, [thread]);
      const error = await failure(open().another().checkpointer.getTuple(config(thread)));
      expect(error).toMatchObject({ code: "PLAINTEXT_REFUSED" });
    }
    const lenient = open().another(under(["a"], { allowPlaintext: true }));
    const read = await lenient.checkpointer.getTuple(config(whole));
    expect(read?.checkpoint.channel_values.list).toEqual(marked("plain"));
  });
});
