/** What has expired is invisible at once and goes with the next sweep. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import type { StorageSettings } from "../../src/options.ts";
import { cleanupExpired, sweep } from "../../src/retention/expiry.ts";
import { startSweeper } from "../../src/retention/sweeper.ts";
import {
  checkpointOf,
  idsOf,
  putAll,
  threadConfig,
  threadOf,
  tuples,
} from "../contract/material.ts";
import { deltaGraph, deltaLog } from "../langgraph/graphs/delta.ts";
import { eventually } from "../support/wait.ts";
import { expectTidy, newest, type OpenStore, openStore, server } from "./store.ts";

const long = (name: string) => `${name} ${"words ".repeat(400)}`;
const EMPTY = { checkpoints: 0, writes: 0, values: 0, chunks: 0 };

describe.each(newest)("$name", (backend) => {
  let store: OpenStore;
  const opened = async (settings: StorageSettings = {}) => {
    store = await openStore(backend, settings);
  };
  afterEach(async () => {
    await expectTidy(store);
    await store.close();
  });

  const threads = async () =>
    (await store.sql<{ thread_id: string }>("SELECT thread_id FROM :schema.checkpoints_threads"))
      .map((row) => row.thread_id)
      .sort();
  /** Lets what was put so far expire, or says when it does. */
  const expire = (where: string, when = "now() - interval '1 second'", table = "") =>
    store.sql(`UPDATE :schema.checkpoints${table} SET expires_at = ${when} WHERE ${where}`);
  const chain = async (config: RunnableConfig, n: number) => {
    const puts: RunnableConfig[] = [];
    let at = config;
    for (let i = 1; i <= n; i += 1) {
      const list = Array.from({ length: i }, (_, j) => long(`${j}`));
      at = await putAll(store.saver, at, checkpointOf({ list }, { list: i }));
      puts.push(at);
    }
    return puts;
  };

  test("threads go whole, counted with their checkpoints; others stay", async () => {
    await opened({ ttl: { threads: "30d" } });
    for (const id of ["a", "b", "c"]) {
      const put = await chain({ configurable: { thread_id: id } }, 3);
      await store.saver.putWrites(put[2] as RunnableConfig, [["list", [long("w")]]], "task");
    }
    const before = await store.rows("c");
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 0 });
    await expire("thread_id <> 'c'", undefined, "_threads");
    expect(await tuples(store.saver, { configurable: { thread_id: "a" } })).toEqual([]);
    expect(await cleanupExpired(store.storage, { batch: 1 })).toEqual({
      threads: 2,
      checkpoints: 6,
    });
    expect(await threads()).toEqual(["c"]);
    expect(await store.rows()).toEqual(before);
  });

  test("checkpoints go with their writes and what only they referred to", async () => {
    await opened();
    const config = threadConfig("expiring");
    const puts = await chain(config, 4);
    for (const put of puts) await store.saver.putWrites(put, [["list", [long("w")]]], "task");
    const ids = puts.map((put) => put.configurable?.checkpoint_id);
    await expire(`checkpoint_id IN ('${ids[0]}', '${ids[2]}')`);
    expect(idsOf(await tuples(store.saver, config))).toEqual([ids[3], ids[1]]);
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 2 });
    expect(await store.rows()).toMatchObject({ checkpoints: 2, writes: 2, values: 2 });
    const left = await tuples(new PostgresSaver(store.another()), config);
    expect(left.map(({ checkpoint }) => (checkpoint.channel_values.list as []).length)).toEqual([
      4, 2,
    ]);
  });

  test("a head that expired leaves the latest of the living as head", async () => {
    await opened();
    const config = threadConfig("head");
    const puts = await chain(config, 3);
    await expire(`checkpoint_id = '${puts[2]?.configurable?.checkpoint_id}'`);
    await cleanupExpired(store.storage);
    const head = await store.saver.getTuple(config);
    expect(head?.config.configurable).toEqual(puts[1]?.configurable);
  });

  test("a thread whose checkpoints all expired is emptied; its row goes once it is idle", async () => {
    await opened();
    const config = threadConfig("emptied");
    const puts = await chain(config, 2);
    const idle = threadConfig("idle");
    await chain(idle, 2);
    await expire("true");
    await store.sql(
      "UPDATE :schema.checkpoints_threads SET updated_at = now() - interval '2 hours' WHERE thread_id = $1",
      [threadOf(idle)],
    );
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 4 });
    expect(await threads()).toEqual([threadOf(config)]);
    expect(await store.rows()).toEqual(EMPTY);
    // The run that was still going on in it loses nothing: its put is whole.
    const list = [long("0"), long("1"), long("2")];
    await putAll(store.saver, puts[1] as RunnableConfig, checkpointOf({ list }, { list: 3 }));
    const head = await new PostgresSaver(store.another()).getTuple(config);
    expect(head?.checkpoint.channel_values.list).toEqual(list);
  });

  test("writes that wait for their checkpoint keep their thread", async () => {
    await opened();
    const config = threadConfig("early");
    const [put] = await chain(config, 1);
    const coming = checkpointOf({ list: [] }, { list: 2 });
    const early = { configurable: { ...config.configurable, checkpoint_id: coming.id } };
    await store.saver.putWrites(early, [["list", [long("a"), long("b")]]], "task");
    await expire("true");
    await store.sql(
      "UPDATE :schema.checkpoints_threads SET updated_at = now() - interval '2 hours'",
    );
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 1 });
    await putAll(store.saver, put as RunnableConfig, coming);
    const head = await new PostgresSaver(store.another()).getTuple(config);
    expect(head?.pendingWrites).toEqual([["task", "list", [long("a"), long("b")]]]);
  });

  test("case 32: what a DeltaChannel needs is kept out of sight until nothing needs it", async () => {
    await opened();
    const config = threadConfig("delta");
    const graph = deltaGraph({ checkpointer: store.saver, width: 1 });
    for (const turn of [1, 2]) await graph.invoke({ log: [`input ${turn}`] }, config);
    const ids = idsOf(await tuples(store.saver, config));
    const head = ids[0];
    await expire(`checkpoint_id <> '${head}'`);
    // The first checkpoint had a snapshot of its own input; all after it carry the writes since.
    await cleanupExpired(store.storage);
    const again = deltaGraph({ checkpointer: new PostgresSaver(store.another()), width: 1 });
    expect((await again.getState(config)).values.log).toEqual(deltaLog(2, 1));
    expect(idsOf(await tuples(store.saver, config))).toEqual([head]);
    const links = (await store.rows()).checkpoints - 1;
    expect(links).toBeGreaterThan(0);
    // They are not looked at again and again: one transaction asks for threads, none for checkpoints.
    const { counters } = store.storage.database;
    const transactions = counters.transactions;
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 0 });
    expect(counters.transactions - transactions).toBe(1);
    await expire(`checkpoint_id = '${head}'`);
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: links + 1 });
    expect(await store.rows()).toEqual(EMPTY);
  });

  test("a long thread goes in rounds, and nothing of it is forgotten", async () => {
    await opened();
    const config = threadConfig("long");
    const puts = await chain(config, 3);
    // Many more rows of the same kind: 3,000 checkpoints with a value and a chunk each.
    await store.sql(
      `INSERT INTO :schema.checkpoints (thread_id, checkpoint_id, seq, channel_versions, checkpoint_data, metadata)
      SELECT $1, 'x' || i, 3 + i, json_build_object('x', i), '{}', '{}' FROM generate_series(1, 3000) i`,
      [threadOf(config)],
    );
    await store.sql(
      `INSERT INTO :schema.checkpoints_chunks (thread_id, chunk_id, payload)
      SELECT $1, md5(i::text)::uuid, '[]' FROM generate_series(1, 3000) i`,
      [threadOf(config)],
    );
    await store.sql(
      `INSERT INTO :schema.checkpoints_values (thread_id, channel, version, type, payload, chunks)
      SELECT $1, 'x', i::text, 'json', '[', ARRAY[md5(i::text)::uuid] FROM generate_series(1, 3000) i`,
      [threadOf(config)],
    );
    await store.sql("UPDATE :schema.checkpoints_threads SET last_seq = 3003");
    await expire(`checkpoint_id <> '${puts[2]?.configurable?.checkpoint_id}'`);
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 0, checkpoints: 3002 });
    expect(await store.rows()).toMatchObject({ checkpoints: 1, values: 1 });
  });

  test("the sweeper sweeps by itself, stops when told, and tells of errors", async () => {
    await opened({ ttl: { checkpoints: 20 } });
    const config = threadConfig("swept");
    await chain(config, 2);
    const swept: number[] = [];
    const sweeper = startSweeper(store.storage, {
      interval: 30,
      onSweep: ({ checkpoints }) => swept.push(checkpoints),
    });
    await eventually("swept", async () => (await store.rows()).checkpoints === 0);
    await eventually("told", () => swept.reduce((sum, one) => sum + one, 0) === 2);
    await sweeper.close();
    const sweeps = swept.length;
    await sweeper.close();
    expect(swept).toHaveLength(sweeps);

    const errors: unknown[] = [];
    const broken = {
      ...store.storage,
      names: { ...store.storage.names, checkpoints: '"no"."where"' },
    };
    await using _ = startSweeper(broken, {
      interval: 10,
      onError: (error) => {
        errors.push(error);
        throw new Error("a listener that fails");
      },
    });
    await eventually("told of more than one error", () => errors.length > 1);
    expect(errors[0]).toMatchObject({ code: "TABLES_MISSING" });
  });
});

describe("case 34, on several connections", () => {
  let store: OpenStore;
  beforeEach(async () => {
    store = await openStore(server, { ttl: { threads: "1h" } }, { maxConns: 12 });
  });
  afterEach(async () => {
    await expectTidy(store);
    await store.close();
  });

  async function fill(n: number): Promise<void> {
    for (let i = 0; i < n; i += 1) {
      const config = { configurable: { thread_id: `t${i}` } };
      const first = await putAll(store.saver, config, checkpointOf({ list: [long("a")] }));
      await store.saver.putWrites(first, [["list", [long("b"), long("c")]]], "task");
    }
    await store.sql("UPDATE :schema.checkpoints_threads SET expires_at = now()");
  }

  test("sweepers share the work, and count each thread once", async () => {
    await fill(40);
    const sweepers = [store.storage, store.another(), store.another()];
    const reports = await Promise.all(sweepers.map((one) => cleanupExpired(one, { batch: 3 })));
    const total = (what: "threads" | "checkpoints") =>
      reports.reduce((sum, report) => sum + report[what], 0);
    expect([total("threads"), total("checkpoints")]).toEqual([40, 40]);
    expect(await store.rows()).toEqual(EMPTY);
  });

  test("a thread that resumes while it is swept is swept whole or begun anew whole", async () => {
    await fill(24);
    const resumed = async (i: number) => {
      const saver = new PostgresSaver(i % 2 ? store.storage : store.another());
      const config = { configurable: { thread_id: `t${i}` } };
      const put = await putAll(saver, config, checkpointOf({ list: [long("a"), long("new")] }));
      await saver.putWrites(put, [["list", [long("b")]]], "task");
    };
    const [, report] = await Promise.all([
      Promise.all(Array.from({ length: 24 }, (_, i) => resumed(i))),
      cleanupExpired(store.another(), { batch: 2 }),
    ]);
    expect(report.threads).toBeLessThanOrEqual(24);
    const saver = new PostgresSaver(store.another());
    for (let i = 0; i < 24; i += 1) {
      const found = await tuples(saver, { configurable: { thread_id: `t${i}` } });
      expect(found.map(({ checkpoint }) => checkpoint.channel_values.list)).toEqual([
        [long("a"), long("new")],
      ]);
      expect(found[0]?.pendingWrites).toEqual([["task", "list", [long("b")]]]);
    }
    expect(await store.rows()).toMatchObject({ checkpoints: 24, writes: 24 });
  });

  test("what somebody has locked is neither waited for nor swept", async () => {
    await fill(3);
    await store.storage.database.transaction(async (tx) => {
      const { names } = store.storage;
      const text = `SELECT thread_id FROM ${names.threads} WHERE thread_id = 't1' FOR KEY SHARE`;
      await tx.execute({ name: "hold", text }, []);
      expect(await cleanupExpired(store.another())).toEqual({ threads: 2, checkpoints: 2 });
    });
    expect(await cleanupExpired(store.storage)).toEqual({ threads: 1, checkpoints: 1 });
  });

  test("a thread that somebody has locked for a moment is tried again", async () => {
    const config = { configurable: { thread_id: "busy" } };
    const first = await putAll(store.saver, config, checkpointOf({ list: [long("a")] }));
    await putAll(store.saver, first, checkpointOf({ list: [long("b")] }, { list: 2 }));
    await store.sql(
      "UPDATE :schema.checkpoints SET expires_at = now() - interval '1 second' WHERE checkpoint_id = $1",
      [first.configurable?.checkpoint_id],
    );
    const { database, names } = store.storage;
    const text = `SELECT thread_id FROM ${names.threads} WHERE thread_id = 'busy' FOR KEY SHARE`;
    // The third transaction is the first that removes something of a thread in which something is alive.
    let transactions = 0;
    let release = () => {};
    let held: Promise<unknown> = Promise.resolve();
    const guard = async (): Promise<boolean> => {
      transactions += 1;
      if (transactions === 3) {
        await new Promise<void>((locked) => {
          held = database.transaction(async (tx) => {
            await tx.execute({ name: "hold", text }, []);
            locked();
            await new Promise<void>((resolve) => {
              release = resolve;
            });
          });
        });
      } else {
        release();
        await held;
      }
      return true;
    };
    const report = await sweep(store.another(), 100, { guard });
    release();
    await held;
    expect(report).toEqual({ threads: 0, checkpoints: 1 });
    expect(transactions).toBeGreaterThan(3);
    expect(await store.rows()).toMatchObject({ checkpoints: 1 });
  });

  test("of all processes one sweeps at a time", async () => {
    await fill(3);
    const { database, names } = store.storage;
    const swept: number[] = [];
    await database.transaction(async (tx) => {
      const key = `langgraph-postgres sweep ${names.checkpoints}`;
      const text = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))::text";
      await tx.execute({ name: "alone", text }, [key]);
      await using _ = startSweeper(store.another(), {
        interval: 5,
        onSweep: ({ threads }) => swept.push(threads),
      });
      await eventually("three rounds", () => swept.length >= 3);
      expect(swept.every((threads) => threads === 0)).toBe(true);
    });
    await using _ = startSweeper(store.another(), {
      interval: 5,
      onSweep: ({ threads }) => swept.push(threads),
    });
    await eventually("swept", () => swept.some((threads) => threads === 3));
  });
});

describe("the end of a thread", () => {
  let store: OpenStore;
  afterEach(() => store.close());

  const updates = async () => {
    const [row] = await store.sql<{ all: number; hot: number }>(
      `SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables
      WHERE schemaname = $1 AND relname = 'checkpoints_threads'`,
      [store.storage.names.schemaName],
    );
    return row as { all: number; hot: number };
  };

  test("putting off a thread's end changes no index at most puts, and never ends it early", async () => {
    store = await openStore(server, { ttl: { threads: "30d" } });
    const config = threadConfig("hot");
    for (let i = 1; i <= 40; i += 1) await putAll(store.saver, config, checkpointOf({ i }, { i }));
    await store.sql("SELECT pg_stat_force_next_flush()");
    await eventually("the server has counted", async () => (await updates()).all >= 39);
    const { all, hot } = await updates();
    expect(hot / all).toBeGreaterThan(0.9);
    const [row] = await store.sql<{ days: number }>(
      "SELECT (extract(epoch FROM expires_at - updated_at) / 86400)::float8 AS days FROM :schema.checkpoints_threads",
    );
    expect(row?.days).toBeGreaterThanOrEqual(30);
    expect(row?.days).toBeLessThanOrEqual(30.3);
  });
});
