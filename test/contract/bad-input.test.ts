/** What is wrong is said before the database is asked, by an error with a stable code that tells what to do. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ERROR_CODES,
  type ErrorCode,
  LangGraphPostgresError,
  PostgresSaver,
  type StorageSettings,
} from "../../src/index.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { checkpointOf, METADATA, putValues, threadConfig, tuples } from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";
import { wrapPool } from "./wrapped-pool.ts";

async function failure(doing: () => unknown): Promise<LangGraphPostgresError> {
  try {
    await doing();
  } catch (error) {
    expect(error).toBeInstanceOf(LangGraphPostgresError);
    return error as LangGraphPostgresError;
  }
  throw new Error("it did not fail");
}

/** The error has the code, is known, says something of use, and names what it is about. */
async function refused(doing: () => unknown, code: ErrorCode, says: RegExp): Promise<void> {
  const error = await failure(doing);
  expect(error.code).toBe(code);
  expect(Object.keys(ERROR_CODES)).toContain(error.code);
  expect(error.message).toMatch(says);
  expect(error.name).toBe(error.constructor.name);
}

/** Every method that takes a thread, with the config that names it. */
function methods(saver: PostgresSaver): Record<string, (config: RunnableConfig) => unknown> {
  const at = ({ configurable }: RunnableConfig) => ({
    configurable: { ...configurable, checkpoint_id: "1f1e68f6-532d-6ce1-8003-b785fdb16186" },
  });
  return {
    getTuple: (config) => saver.getTuple(config),
    list: (config) => tuples(saver, config),
    put: (config) => saver.put(config, checkpointOf({ a: 1 }), METADATA, { a: 1 }),
    putWrites: (config) => saver.putWrites(at(config), [["a", 1]], "task"),
    deleteThread: (config) => saver.deleteThread(config.configurable?.thread_id),
    getDeltaChannelHistory: (config) =>
      saver.getDeltaChannelHistory({ config: at(config), channels: ["a"] }),
  };
}

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  const unusable: [string, unknown, RegExp][] = [
    ["empty", "", /empty/],
    ["one with NUL", "a\u0000b", /NUL/],
    ["one with a lone surrogate", "a\ud800", /surrogate/],
    ["one too long", "x".repeat(10_000), /10000 bytes; the limit is \d+.*shorter/s],
    ["one too long in bytes", "\u{1f600}".repeat(700), /2800 bytes/],
    ["an object", { id: 1 }, /must be a string, got object/],
    ["a symbol", Symbol("thread"), /must be a string, got symbol/],
    ["NaN", Number.NaN, /must be a string/],
  ];
  test.each(unusable)("case 15: a thread_id that is %s, in every method", async (_, id, says) => {
    const pool = wrapPool(open.pool);
    const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
    for (const method of Object.values(methods(saver))) {
      await refused(() => method({ configurable: { thread_id: id } }), "INVALID_CONFIG", says);
    }
    expect(pool.take()).toEqual([]);
  });

  test("a missing thread_id: nothing to get, all to list, an error for the rest", async () => {
    const { getTuple, list, ...rest } = methods(open.saver);
    for (const config of [{}, { configurable: {} }, { configurable: { checkpoint_ns: "x" } }]) {
      expect(await getTuple?.(config)).toBeUndefined();
      expect(await list?.(config)).toEqual([]);
      for (const method of Object.values(rest)) {
        await refused(() => method(config), "INVALID_CONFIG", /thread_id is missing: pass/);
      }
    }
    expect(Object.values(await open.rowCounts())).toEqual([0, 0, 0, 0, 0]);
  });

  test("ids that are long, but not too long, or numbers, work", async () => {
    for (const id of ["x".repeat(255), "\u{1f600}".repeat(100), "a b/c:d", 42]) {
      const config = await putValues(open.saver, { id }, { configurable: { thread_id: id } });
      expect((await open.saver.get(config))?.channel_values).toEqual({ id });
      await open.saver.deleteThread(String(id));
    }
  });

  test("other ids that are no text or too long", async () => {
    const thread_id = threadConfig("ids").configurable?.thread_id;
    const all = methods(open.saver);
    for (const name of ["getTuple", "put", "list"]) {
      const number = { configurable: { thread_id, checkpoint_ns: 7 } };
      await refused(() => all[name]?.(number), "INVALID_CONFIG", /checkpoint_ns must be a string/);
    }
    const config = { configurable: { thread_id, checkpoint_ns: "n".repeat(9000) } };
    await refused(() => all.put?.(config), "INVALID_CONFIG", /checkpoint_ns has 9000 bytes/);
    await refused(() => all.putWrites?.(config), "INVALID_CONFIG", /checkpoint_ns has 9000 bytes/);
    const at = await putValues(open.saver, {}, { configurable: { thread_id } });
    const writes = () => open.saver.putWrites(at, [["a", 1]], "t".repeat(9000));
    await refused(writes, "INVALID_CONFIG", /task_id has 9000 bytes/);
    const channel = () =>
      putValues(open.saver, { ["c".repeat(9000)]: 1 }, { configurable: { thread_id } });
    await refused(channel, "INVALID_CONFIG", /channel has 9000 bytes/);
    const noCheckpoint = () =>
      open.saver.putWrites({ configurable: { thread_id } }, [["a", 1]], "t");
    await refused(noCheckpoint, "INVALID_CONFIG", /checkpoint_id is missing/);
    expect((await open.rowCounts(thread_id)).checkpoints).toBe(1);
  });

  test.each([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, true, {}, [1]])(
    "a channel's version that is %s",
    async (version) => {
      const config = threadConfig("versions");
      const versions = { a: version } as never;
      const checkpoint = checkpointOf({ a: 1 }, {}, { channel_versions: versions });
      const put = () => open.saver.put(config, checkpoint, METADATA, {});
      await refused(put, "INVALID_CONFIG", /version of "a" must be a string or a finite number/);
    },
  );

  test("a graph without a thread_id says what to pass", async () => {
    const graph = chatGraph({ checkpointer: open.saver });
    await expect(graph.invoke({ messages: ["hi"] }, {})).rejects.toThrow(/thread_id/);
  });

  test("tables that are not there: the error says which call makes them", async () => {
    const saver = new PostgresSaver(open.pool, undefined, { schema: `${open.schema}_none` });
    for (const name of ["getTuple", "list", "put", "putWrites", "deleteThread"]) {
      const config = threadConfig();
      await refused(() => methods(saver)[name]?.(config), "TABLES_MISSING", /setup\(\)/);
    }
  });

  const impossible: [string, StorageSettings | Record<string, unknown>, RegExp][] = [
    ["an unknown option", { shema: "x" }, /"shema"; did you mean "schema"/],
    ["an unknown option of ttl", { ttl: { thread: "1d" } }, /"thread"; did you mean "threads"/],
    ["an option in the wrong case", { tablename: "x" }, /did you mean "tableName"/],
    ["a table name too long", { tableName: "t".repeat(60) }, /63/],
    ["a table name too long in bytes", { tableName: "\u{1f600}".repeat(14) }, /63/],
    ["an empty table name", { tableName: "" }, /tableName/],
    ["a table name with NUL", { tableName: "a\u0000" }, /NUL/],
    ["a schema too long", { schema: "s".repeat(64) }, /63/],
    ["an empty schema", { schema: "" }, /schema/],
    ["a schema that is no text", { schema: 7 }, /schema/],
    ["a negative deadline", { deadline: -1 }, /deadline must be a duration above zero/],
    [
      "a time to live of zero",
      { ttl: { threads: 0 } },
      /ttl.threads must be a duration above zero/,
    ],
    ["a time to live that is no duration", { ttl: { threads: "soon" } }, /"soon"/],
    ["a negative cache", { cacheBytes: -1 }, /cacheBytes/],
    ["a flag that is no flag", { autoMigrate: "yes" }, /autoMigrate/],
    ["an unknown way to treat conflicts", { conflicts: "ignore" }, /conflicts/],
  ];
  test.each(impossible)("%s", async (_, options, says) => {
    const settings = options as StorageSettings;
    await refused(() => new PostgresSaver(open.pool, undefined, settings), "INVALID_OPTION", says);
    const fromConnString = () => PostgresSaver.fromConnString("postgres://localhost/x", settings);
    await refused(fromConnString, "INVALID_OPTION", says);
  });
});
