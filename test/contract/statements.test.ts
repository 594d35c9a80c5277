/** How often the server is asked: once for each thing that LangGraph does, twice for a read in a process that has seen nothing. */
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { checkpointOf, METADATA, putAll, threadConfig, threadOf, tuples } from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";
import { type WrappedPool, wrapPool } from "./wrapped-pool.ts";

type Method = "put" | "putWrites" | "getTuple" | "getDeltaChannelHistory";

/** The saver, with the number of statements of every call; calls are made one at a time so that each has its own. */
class CountedSaver extends PostgresSaver {
  readonly counts: [Method, number][] = [];
  readonly #pool: WrappedPool;
  #turn: Promise<unknown> = Promise.resolve();
  constructor(pool: WrappedPool, schema: string) {
    super(pool, undefined, { schema });
    this.#pool = pool;
  }
  #counted<T>(method: Method, call: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      this.#pool.take();
      const result = await call();
      this.counts.push([method, this.#pool.take().length]);
      return result;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
  override put(...args: Parameters<PostgresSaver["put"]>) {
    return this.#counted("put", () => super.put(...args));
  }
  override putWrites(...args: Parameters<PostgresSaver["putWrites"]>) {
    return this.#counted("putWrites", () => super.putWrites(...args));
  }
  override getTuple(...args: Parameters<PostgresSaver["getTuple"]>) {
    return this.#counted("getTuple", () => super.getTuple(...args));
  }
  override getDeltaChannelHistory(...args: Parameters<PostgresSaver["getDeltaChannelHistory"]>) {
    return this.#counted("getDeltaChannelHistory", () => super.getDeltaChannelHistory(...args));
  }
  /** The counts of a method since last asked, in the order of the calls. */
  taken(method: Method): number[] {
    return this.counts.filter(([name]) => name === method).map(([, count]) => count);
  }
}

const ones = (counts: number[]) => counts.map(() => 1);
const long = (name: string) => `${name} ${"words ".repeat(400)}`;

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  let pool: WrappedPool;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  beforeEach(() => {
    pool = wrapPool(open.pool);
  });
  afterAll(() => open.close());

  const counted = () => new CountedSaver(pool, open.schema);

  test("a graph's run: one statement for each put, putWrites and getTuple", async () => {
    const saver = counted();
    const graph = chatGraph({ checkpointer: saver });
    const config = threadConfig("counted");
    for (let turn = 0; turn < 5; turn += 1) {
      await graph.invoke({ messages: [new HumanMessage(long(`turn ${turn}`))] }, config);
    }
    await graph.getState(config);
    for (const method of ["put", "putWrites", "getTuple"] as const) {
      const counts = saver.taken(method);
      expect(counts.length, method).toBeGreaterThan(5);
      expect(counts, method).toEqual(ones(counts));
    }
  });

  test("a process that has seen nothing: two statements for the first read, one for each later", async () => {
    const config = threadConfig("cold");
    const graph = chatGraph({ checkpointer: open.saver });
    for (const turn of [1, 2, 3]) await graph.invoke({ messages: [long(`turn ${turn}`)] }, config);
    const saver = counted();
    for (let read = 0; read < 3; read += 1) await saver.getTuple(config);
    expect(saver.taken("getTuple")).toEqual([2, 1, 1]);
    // And what another process adds costs its chunks once.
    await graph.invoke({ messages: [long("turn 4")] }, config);
    await saver.getTuple(config);
    await saver.getTuple(config);
    expect(saver.taken("getTuple").slice(3)).toEqual([2, 1]);
  });

  test("a process that has seen nothing writes in one statement too", async () => {
    const first = await putAll(open.saver, threadConfig(), checkpointOf({ list: [long("a")] }));
    const saver = counted();
    await saver.putWrites(first, [["list", [long("b")]]], "task");
    await putAll(saver, first, checkpointOf({ list: [long("a"), long("b")] }, { list: 2 }));
    expect(saver.counts).toEqual([
      ["putWrites", 1],
      ["put", 1],
    ]);
  });

  test("with the cache turned off, a read is two statements at most", async () => {
    const config = threadConfig("no cache");
    const saver = new PostgresSaver(pool, undefined, { schema: open.schema, cacheBytes: 0 });
    await putAll(
      saver,
      config,
      checkpointOf({ list: Array.from({ length: 500 }, (_, i) => long(`${i}`)) }),
    );
    for (let read = 0; read < 3; read += 1) {
      pool.take();
      await saver.getTuple(config);
      expect(pool.take()).toHaveLength(2);
    }
  });

  test("a DeltaChannel's history: two statements, however long the thread", async () => {
    const saver = counted();
    const config = threadConfig("delta");
    const graph = deltaGraph({ checkpointer: saver, width: 2, snapshotFrequency: 10_000 });
    for (let turn = 1; turn <= 10; turn += 1) {
      const result = await graph.invoke({ log: [`input ${turn}`] }, config);
      expect(result.log).toEqual(deltaLog(turn, 2));
    }
    const counts = saver.taken("getDeltaChannelHistory");
    expect(counts.length).toBeGreaterThanOrEqual(9);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
    const fresh = counted();
    await deltaGraph({ checkpointer: fresh, width: 2 }).getState(config);
    expect(Math.max(...fresh.taken("getDeltaChannelHistory"))).toBeLessThanOrEqual(2);
    expect(fresh.taken("getDeltaChannelHistory")).toHaveLength(1);
  });

  test("a list: as many statements as pages, and their chunks", async () => {
    const config = threadConfig("list");
    let at = config;
    for (let i = 0; i < 70; i += 1) {
      const messages = [new AIMessage(long(`message ${i}`))];
      at = await putAll(open.saver, at, checkpointOf({ messages }, { messages: i + 1 }));
    }
    const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
    pool.take();
    expect(await tuples(saver, { configurable: { thread_id: threadOf(config) } })).toHaveLength(70);
    const cold = pool.take().length;
    await tuples(saver, { configurable: { thread_id: threadOf(config) } });
    const warm = pool.take().length;
    expect(cold).toBeLessThanOrEqual(4);
    expect(warm).toBeLessThanOrEqual(cold / 2);
  });

  test("many writes at once leave together: far fewer statements than writes", async () => {
    const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
    const config = await saver.put(threadConfig(), checkpointOf({}), METADATA, {});
    pool.take();
    const writes = Array.from({ length: 200 }, (_, i) =>
      saver.putWrites(config, [["channel", i]], `task ${i}`),
    );
    await Promise.all(writes);
    expect(pool.take().length).toBeLessThan(20);
    expect((await saver.getTuple(config))?.pendingWrites).toHaveLength(200);
  });
});
