/** A checkpoint interval: what is skipped was never there, and what is stored is whole. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, MemorySaver } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { CoalescingSaver, PostgresCheckpointStore } from "../../src/index.ts";
import { wrapPool } from "../contract/wrapped-pool.ts";
import { failure, fresh, newest, useStore } from "../records/open-store.ts";
import { eventually } from "../support/wait.ts";
import { agentGraph } from "./graphs/agent.ts";
import { texts } from "./graphs/chat.ts";
import { deltaGraph, deltaLog } from "./graphs/delta.ts";
import { failingGraph } from "./graphs/failing.ts";
import { essayGraph } from "./graphs/functional.ts";
import type { RunConfig } from "./graphs/graph.ts";
import { lapsGraph } from "./graphs/laps.ts";
import { stepsGraph } from "./graphs/steps.ts";
import { inheritingGraph, nestedGraph, rememberingGraph } from "./graphs/subgraphs.ts";

const HOUR = { checkpointInterval: "1h" } as const;
const threadOf = (thread: string): RunConfig => ({
  configurable: { thread_id: thread },
  recursionLimit: 300,
});
const laps = (count: number): string[] => Array.from({ length: count }, (_, i) => `lap ${i + 1}`);

describe("a checkpoint interval", () => {
  const open = useStore(newest);

  /** The stored checkpoints of a thread, oldest first, as `[step, parent's step]`. */
  async function stored(thread: string, namespace = ""): Promise<[number, number | null][]> {
    const rows = await open.current.sql(
      `SELECT c.version::int4 AS step, p.version::int4 AS parent FROM T c LEFT JOIN T p
        ON p.thread_id = c.thread_id AND p.checkpoint_ns = c.checkpoint_ns
        AND p.checkpoint_id = c.parent_checkpoint_id
       WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 ORDER BY c.seq`,
      [thread, namespace],
    );
    return rows.map(({ step, parent }) => [step as number, parent as number | null]);
  }

  /** Nothing in the thread names a checkpoint that is not there, and every value is there. */
  async function expectWhole(thread: string): Promise<void> {
    const { sql, another } = open.current;
    const missing = await sql(
      `SELECT 'parent' AS what, parent_checkpoint_id AS id FROM T c WHERE thread_id = $1
         AND parent_checkpoint_id IS NOT NULL AND NOT EXISTS (SELECT FROM T p
           WHERE (p.thread_id, p.checkpoint_ns, p.checkpoint_id)
             = (c.thread_id, c.checkpoint_ns, c.parent_checkpoint_id))
       UNION ALL SELECT 'checkpoint of a write', checkpoint_id FROM T_writes w
         WHERE thread_id = $1 AND NOT EXISTS (SELECT FROM T c
           WHERE (c.thread_id, c.checkpoint_ns, c.checkpoint_id)
             = (w.thread_id, w.checkpoint_ns, w.checkpoint_id))`,
      [thread],
    );
    expect(missing).toEqual([]);
    let count = 0;
    for await (const tuple of another().checkpointer.list(threadOf(thread))) {
      count += 1;
      expect(tuple.checkpoint.channel_versions).toBeDefined();
    }
    expect(count).toBeGreaterThan(0);
  }

  test.each(["values", "updates", "messages"] as const)(
    "stream mode %s: the stream of every step, and two checkpoints",
    async (streamMode) => {
      const thread = fresh("stream");
      const checkpointer = open.current.store.checkpointerWith(HOUR);
      const streamed = async (saver: MemorySaver | CoalescingSaver): Promise<unknown[]> => {
        const graph = agentGraph({ checkpointer: saver });
        const config = { ...threadOf(thread), streamMode } as RunConfig;
        const chunks: unknown[] = [];
        for await (const chunk of await graph.stream({ messages: ["refund order 8"] }, config)) {
          chunks.push(chunk);
        }
        return chunks;
      };
      const chunks = await streamed(checkpointer);
      expect(chunks.length).toBeGreaterThan(0);
      expect(chunks).toHaveLength((await streamed(new MemorySaver())).length);
      // The input, and the approval that it waits for.
      expect(await stored(thread)).toEqual([
        [-1, null],
        [5, -1],
      ]);
      await expectWhole(thread);
    },
  );

  test("interrupted, resumed by another process: the answer of the run without an interval", async () => {
    const thread = fresh("interrupt");
    const ran: string[] = [];
    const graphOn = (store: PostgresCheckpointStore) =>
      agentGraph({
        checkpointer: store.checkpointerWith(HOUR),
        record: (node) => void ran.push(node),
      });
    await graphOn(open.current.store).invoke({ messages: ["refund order 8"] }, threadOf(thread));
    const other = graphOn(open.current.another());
    const state = await other.getState(threadOf(thread));
    expect(state.next).toEqual(["approve"]);
    expect(state.tasks[0]?.interrupts[0]?.value).toEqual({ refund: { order: 8, amount: 12.5 } });
    const result = await other.invoke(new Command({ resume: "yes" }), threadOf(thread));
    expect(texts(result).at(-1)).toBe("All done.");
    expect(ran).toEqual([
      ...["model", "tools", "model", "tools", "model", "approve"],
      ...["approve", "tools", "model"],
    ]);
    await expectWhole(thread);
  });

  test("a step that fails is stored with what its siblings wrote: only it runs again", async () => {
    const thread = fresh("error");
    const ran: string[] = [];
    const record = (node: string) => void ran.push(node);
    const failing = (store: PostgresCheckpointStore, failures: number) =>
      failingGraph({ checkpointer: store.checkpointerWith(HOUR), failures, record });
    const error = await failure(
      failing(open.current.store, 1).invoke({ log: [] }, threadOf(thread)),
    );
    expect(error.message).toContain("the service is down");
    expect(await stored(thread)).toEqual([
      [-1, null],
      [1, -1],
    ]);
    ran.length = 0;
    const result = await failing(open.current.another(), 0).invoke(null, threadOf(thread));
    expect(ran).toEqual(["shaky", "end"]);
    expect(result.log).toEqual(expect.arrayContaining(["start", "shaky", "steady", "end"]));
    await expectWhole(thread);
  });

  test("100 steps within an interval: three statements that put, or fewer", async () => {
    const thread = fresh("hundred");
    const pool = wrapPool(open.current.backend.pool);
    const { schema } = open.current.backend;
    const store = PostgresCheckpointStore.fromPool(pool, { schema });
    const graph = lapsGraph({ checkpointer: store.checkpointerWith(HOUR) });
    await graph.invoke({ goal: 1 }, threadOf(fresh("warm")));
    pool.take();
    const result = await graph.invoke({ goal: 100 }, threadOf(thread));
    expect(result.log).toEqual(laps(100));
    const puts = await stored(thread);
    expect(puts).toEqual([
      [-1, null],
      [100, -1],
    ]);
    // The read at its beginning, two puts, and what the input's own task wrote.
    expect(pool.take().length).toBeLessThanOrEqual(5);
    await expectWhole(thread);
    await store.close();
  });

  test("what is read is stored first, and time travel goes on from it", async () => {
    const thread = fresh("read");
    const { store, another } = open.current;
    const checkpointer = store.checkpointerWith(HOUR);
    const seen: unknown[] = [];
    const graph = lapsGraph({
      checkpointer,
      async onLap(lap) {
        if (lap === 4) seen.push(await graph.getState(threadOf(thread)));
      },
    });
    await graph.invoke({ goal: 6 }, threadOf(thread));
    expect(seen).toMatchObject([
      { values: { log: laps(3) }, next: ["lap"], metadata: { step: 3 } },
    ]);
    expect(await stored(thread)).toEqual([
      [-1, null],
      [3, -1],
      [6, 3],
    ]);
    const history: unknown[] = [];
    for await (const { metadata, parentConfig, config } of graph.getStateHistory(
      threadOf(thread),
    )) {
      history.push([metadata?.step, config.configurable?.checkpoint_id]);
      if (metadata?.step === 3) {
        const fork = { ...config, configurable: { ...config.configurable } };
        const forked = lapsGraph({ checkpointer });
        expect((await forked.invoke(null, fork)).log).toEqual(laps(6));
        expect(parentConfig).toBeDefined();
      }
    }
    expect(history.map((entry) => (entry as unknown[])[0])).toEqual([6, 3, -1]);
    // The fork, its end, and the old branch, which stays.
    expect((await stored(thread)).slice(3)).toEqual([[7, 3]]);
    const state = await lapsGraph({ checkpointer: another().checkpointer }).getState(
      threadOf(thread),
    );
    expect(state.values.log).toEqual(laps(6));
    await expectWhole(thread);
  });

  test("updateState is stored when it returns, and the run goes on from it", async () => {
    const thread = fresh("update");
    const checkpointer = open.current.store.checkpointerWith(HOUR);
    const graph = stepsGraph({ checkpointer });
    await graph.invoke({ topic: "tea" }, { ...threadOf(thread), interruptBefore: ["two"] });
    await graph.updateState(threadOf(thread), { topic: "coffee" });
    const other = stepsGraph({ checkpointer: open.current.another().checkpointer });
    const state = await other.getState(threadOf(thread));
    expect(state.values.topic).toBe("coffee");
    expect(state.next).toEqual(["two"]);
    const result = await graph.invoke(null, threadOf(thread));
    expect(result.log).toEqual(["one(tea)", "two(coffee)", "three(coffee)"]);
    await expectWhole(thread);
  });

  test("a run that ends unseen is stored when the interval is over", async () => {
    const thread = fresh("timer");
    const checkpointer = open.current.store.checkpointerWith({ checkpointInterval: 50 });
    const graph = stepsGraph({ checkpointer });
    await graph.invoke({ topic: "tea" }, { ...threadOf(thread), interruptAfter: ["two"] });
    await eventually("step 2 is stored", async () =>
      (await stored(thread)).some(([step]) => step === 2),
    );
    await expectWhole(thread);
  });

  test("durability exit and sync, and the functional API", async () => {
    const checkpointer = open.current.store.checkpointerWith(HOUR);
    for (const durability of ["exit", "sync"] as const) {
      const config = { ...threadOf(fresh(durability)), durability };
      const graph = agentGraph({ checkpointer });
      await graph.invoke({ messages: ["refund order 8"] }, config);
      const other = agentGraph({ checkpointer: open.current.another().checkpointer });
      expect((await other.getState(config)).next).toEqual(["approve"]);
      await graph.invoke(new Command({ resume: "yes" }), config);
      expect(texts((await other.getState(config)).values).at(-1)).toBe("All done.");
      await expectWhole(config.configurable?.thread_id);
    }
    const thread = fresh("functional");
    const essay = essayGraph({ checkpointer });
    for (const earlier of [0, 1]) {
      await essay.invoke({ topic: "tea", review: true }, threadOf(thread));
      const result = await essay.invoke(new Command({ resume: "good" }), threadOf(thread));
      expect(result).toMatchObject({ text: "TEA 1, TEA 2, TEA 3: GOOD", earlier });
    }
    await expectWhole(thread);
  });

  test("subgraphs: one that asks, one that remembers, one in one", async () => {
    const checkpointer = open.current.store.checkpointerWith(HOUR);
    for (const make of [inheritingGraph, nestedGraph]) {
      const config = threadOf(fresh("subgraph"));
      await make({ checkpointer }).invoke({}, config);
      const other = make({ checkpointer: open.current.another().checkpointer });
      const state = await other.getState(config, { subgraphs: true });
      expect(state.tasks[0]?.interrupts[0]?.value).toBe("secret?");
      await other.invoke(new Command({ resume: "1" }), config);
      const memory = make({ checkpointer: new MemorySaver() });
      await memory.invoke({}, config);
      const expected = await memory.invoke(new Command({ resume: "1" }), config);
      expect((await other.getState(config)).values).toEqual(expected);
      await expectWhole(config.configurable?.thread_id);
    }
    const config = threadOf(fresh("remembering"));
    const graph = rememberingGraph({ checkpointer });
    await graph.invoke({}, config);
    const { log } = await graph.invoke({}, config);
    expect(log).toContain("enter 1");
    await expectWhole(config.configurable?.thread_id);
  });

  test("of a subgraph that is through, nothing is stored with a step that was skipped", async () => {
    const thread = fresh("quiet subgraph");
    const checkpointer = open.current.store.checkpointerWith(HOUR);
    await inheritingGraph({ checkpointer }, false).invoke({}, threadOf(thread));
    const rows = await open.current.sql(
      "SELECT DISTINCT checkpoint_ns AS ns FROM T WHERE thread_id = $1",
      [thread],
    );
    expect(rows).toEqual([{ ns: "" }]);
    await expectWhole(thread);
  });

  test("a node that changes its state in place does not change what waits", async () => {
    const thread = fresh("in place");
    const checkpointer = open.current.store.checkpointerWith(HOUR);
    const graph = lapsGraph({
      checkpointer,
      onLap(lap, log) {
        if (lap !== 3) return;
        log.push("by mistake");
        throw new Error("on purpose");
      },
    });
    await failure(graph.invoke({ goal: 5 }, threadOf(thread)));
    const other = lapsGraph({ checkpointer: open.current.another().checkpointer });
    expect((await other.getState(threadOf(thread))).values.log).toEqual(laps(2));
  });

  test("parallel threads, each with its own state", async () => {
    const checkpointer = open.current.store.checkpointerWith({ checkpointInterval: 5 });
    const threads = Array.from({ length: 8 }, () => fresh("parallel"));
    const graph = lapsGraph({ checkpointer, onLap: () => new Promise(setImmediate) });
    await Promise.all(threads.map((thread) => graph.invoke({ goal: 20 }, threadOf(thread))));
    const other = lapsGraph({ checkpointer: open.current.another().checkpointer });
    for (const thread of threads) {
      expect((await other.getState(threadOf(thread))).values.log).toEqual(laps(20));
      await expectWhole(thread);
    }
  });

  test("a graph with a DeltaChannel is stored step by step", async () => {
    const counts: number[] = [];
    const { store, another } = open.current;
    for (const checkpointer of [store.checkpointer, store.checkpointerWith(HOUR)]) {
      const config = threadOf(fresh("delta"));
      const graph = deltaGraph({ checkpointer, width: 3 });
      for (const turn of [1, 2]) await graph.invoke({ log: [`input ${turn}`] }, config);
      counts.push((await stored(config.configurable?.thread_id)).length);
      const other = deltaGraph({ checkpointer: another().checkpointer, width: 3 });
      expect((await other.getState(config)).values.log).toEqual(deltaLog(2, 3));
    }
    expect(counts[1]).toBe(counts[0]);
  });

  test.each(["checkpointer", "store"])(
    "deleted by the %s while it runs: no half thread",
    async (by) => {
      const thread = fresh("deleted");
      const { store, sql } = open.current;
      const checkpointer = store.checkpointerWith(HOUR);
      const graph = lapsGraph({
        checkpointer,
        async onLap(lap) {
          if (lap !== 5) return;
          await (by === "store" ? store : checkpointer).deleteThread(thread);
          // A read tells the process that there is no such thread: it must not begin it anew.
          if (by === "checkpointer") await checkpointer.getTuple(threadOf(thread));
        },
      });
      const error = await failure(graph.invoke({ goal: 6 }, threadOf(thread)));
      expect(error.code).toBe("THREAD_CONFLICT");
      expect(await sql("SELECT 1 FROM T WHERE thread_id = $1", [thread])).toEqual([]);
      expect(await sql("SELECT 1 FROM T_writes WHERE thread_id = $1", [thread])).toEqual([]);
      const again = await lapsGraph({ checkpointer }).invoke({ goal: 2 }, threadOf(thread));
      expect(again.log).toEqual(laps(2));
      await expectWhole(thread);
    },
  );

  test("close stores what waits", async () => {
    const thread = fresh("closed");
    const store = open.current.another();
    const graph = stepsGraph({ checkpointer: store.checkpointerWith(HOUR) });
    await graph.invoke({ topic: "tea" }, { ...threadOf(thread), interruptBefore: ["three"] });
    expect((await stored(thread)).map(([step]) => step)).not.toContain(2);
    await store.close();
    expect((await stored(thread)).map(([step]) => step)).toContain(2);
    await expectWhole(thread);
  });

  test("a thread that cannot be stored tells its run, and nothing else", async () => {
    const thread = fresh("conflict");
    const store = open.current.another({ conflicts: "detect" });
    const checkpointer = store.checkpointerWith(HOUR);
    const other = stepsGraph({ checkpointer: open.current.another().checkpointer });
    const graph = lapsGraph({
      checkpointer,
      async onLap(lap) {
        // Another process writes to the thread meanwhile.
        if (lap === 3) await other.updateState(threadOf(thread), { topic: "tea" }, "one");
      },
    });
    const error = await failure(graph.invoke({ goal: 5 }, threadOf(thread)));
    expect(error.code).toBe("THREAD_CONFLICT");
    await expectWhole(thread);
  });

  test("a database that is away: the run is told, and what waits is stored when it is back", async () => {
    const thread = fresh("away");
    const { pool, schema } = open.current.backend;
    let away = false;
    const gone = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const shaky = { connect: async () => (away ? Promise.reject(gone) : pool.connect()) };
    const store = PostgresCheckpointStore.fromPool(shaky, { schema, deadline: 1000 });
    const graph = lapsGraph({
      checkpointer: store.checkpointerWith({ checkpointInterval: 20 }),
      async onLap(lap) {
        // No connection is kept from before.
        await nextTurn();
        away ||= lap === 3;
      },
    });
    const error = await failure(graph.invoke({ goal: 5 }, threadOf(thread)));
    expect(error.name).toBe("DatabaseError");
    away = false;
    await eventually("its end is stored", async () =>
      (await stored(thread)).some(([step]) => step === 5),
    );
    await expectWhole(thread);
    await store.close();
  });

  test("options are checked", () => {
    const { store } = open.current;
    expect(store.checkpointerWith({ checkpointInterval: 1 })).toBeInstanceOf(CoalescingSaver);
    for (const options of [{ checkpointInterval: 0 }, {}, { checkpointInterval: "1h", flush: 1 }]) {
      expect(() => store.checkpointerWith(options as never)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION" }),
      );
    }
  });
});

describe("a process that is killed", () => {
  const open = useStore(newest);
  test("its thread goes on from the last stored checkpoint", async () => {
    const { connString = "", schema } = open.current.backend;
    const script = fileURLToPath(new URL("interval-process.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script, connString, schema], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const ran: string[] = [];
    const graph = lapsGraph({
      checkpointer: open.current.store.checkpointer,
      record: (lap) => void ran.push(lap),
    });
    const result = await graph.invoke(null, threadOf("killed"));
    expect(result.log).toEqual(laps(10));
    // Laps 1 to 3 were stored at lap 4, and what lap 4 wrote may have come in time; those after it are
    // run again.
    expect([laps(10).slice(3), laps(10).slice(4)]).toContainEqual(ran);
  });
});
