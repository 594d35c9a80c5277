/** Bad input: a typed error before the database is asked. */
import { afterAll, describe, expect, test } from "vitest";
import { type DbPool, PostgresCheckpointStore, type StoreOptions } from "../../src/index.ts";
import { momentMs } from "../../src/records/moments.ts";
import { failure } from "./open-store.ts";

/** A pool that nobody may ask: whatever is refused here never came near a database. */
const untouchable: DbPool = {
  connect: () => Promise.reject(new Error("the database was asked")),
};

describe("refused at the door", () => {
  const store = PostgresCheckpointStore.fromPool(untouchable);
  afterAll(() => store.close());

  const good = { id: "1", threadId: "t", state: {} };
  const save = (change: Record<string, unknown>) => store.save({ ...good, ...change } as never);

  const circle: Record<string, unknown> = {};
  circle.self = circle;

  const records: [string, Record<string, unknown>][] = [
    ["no id", { id: undefined }],
    ["an empty id", { id: "" }],
    ["an id that is a number", { id: 1 }],
    ["an id that is too long", { id: "x".repeat(257) }],
    ["no thread", { threadId: undefined }],
    ["an empty thread", { threadId: "" }],
    ["a thread with NUL", { threadId: "a\u0000b" }],
    ["a thread that is too long", { threadId: "é".repeat(300) }],
    ["a thread that is an object", { threadId: {} }],
    ["an empty execution", { executionId: "" }],
    ["an execution that is too long", { executionId: "x".repeat(513) }],
    ["a namespace that is no text", { namespace: 1 }],
    ["a namespace that is too long", { namespace: "x".repeat(1020) }],
    ["an empty parent", { parentId: "" }],
    ["a node that is no text", { nodeName: ["a"] }],
    ["metadata that is a list", { metadata: [] }],
    ["metadata that is null", { metadata: null }],
    ["metadata that is text", { metadata: "{}" }],
    ["a circle in the state", { state: circle }],
    ["a function as state", { state: () => {} }],
    ["a version that is NaN", { version: Number.NaN }],
    ["half a version", { version: 1.5 }],
    ["a version beyond counting", { version: 2 ** 53 }],
    ["a version that is text", { version: "1" }],
    ["a date that is none", { expiresAt: "soon" }],
    ["a day that is none", { expiresAt: "2026-02-30" }],
    ["a time without its offset", { expiresAt: "2026-03-01T12:00:00" }],
    ["an invalid Date", { expiresAt: new Date("nonsense") }],
    ["a time that is NaN", { expiresAt: Number.NaN }],
    ["a time without end", { timestamp: Number.POSITIVE_INFINITY }],
    ["a timestamp that is none", { timestamp: "yesterday" }],
    ["a timestamp that is an object", { timestamp: {} }],
    ["an end in the metadata that is none", { metadata: { expires_at: "never" } }],
    ["a thread in the metadata that is none", { threadId: undefined, metadata: { thread_id: [] } }],
    ["a key that no record has", { thread: "t" }],
  ];
  test.each(records)("a record with %s", async (_, change) => {
    const error = await failure(save(change));
    expect(error.message).not.toContain("the database was asked");
    expect(["INVALID_CONFIG", "INVALID_OPTION", "SERIALIZATION_FAILED"]).toContain(error.code);
    // In a batch, one bad record is enough, and none is sent.
    expect(await failure(store.saveBatch([good, { ...good, ...change } as never]))).toMatchObject({
      code: error.code,
    });
  });

  const calls: [string, () => Promise<unknown>][] = [
    ["a record that is null", () => store.save(null as never)],
    ["a batch that is no list", () => store.saveBatch({} as never)],
    ["ifExists that is none", () => store.save(good, { ifExists: "skip" as never })],
    ["an option that save lacks", () => store.save(good, { upsert: true } as never)],
    ["load without an id", () => store.load("")],
    ["load of a number", () => store.load(1 as never)],
    ["load in an empty thread", () => store.load("1", { threadId: "" })],
    ["delete without an id", () => store.delete("")],
    ["list without an execution", () => store.list("")],
    ["clear without an execution", () => store.clear(undefined as never)],
    ["listByThread without a thread", () => store.listByThread("")],
    ["a misspelt option", () => store.listByThread("t", { nameSpace: "" } as never)],
    ["getLatestByThread of nobody", () => store.getLatestByThread(undefined as never)],
    ["an unknown orderBy", () => store.listWithOptions({ orderBy: "state ASC" as never })],
    ["an orderBy of the prototype", () => store.listWithOptions({ orderBy: "toString" as never })],
    ["SQL as orderBy", () => store.listWithOptions({ orderBy: "id; DROP TABLE x" as never })],
    ["a negative limit", () => store.listWithOptions({ limit: -1 })],
    ["a limit of 0", () => store.listWithOptions({ limit: 0 })],
    ["a limit that is NaN", () => store.listWithOptions({ limit: Number.NaN })],
    ["a limit beyond all", () => store.listWithOptions({ limit: 10_001 })],
    ["half a limit", () => store.listWithOptions({ limit: 1.5 })],
    ["a limit that is text", () => store.listWithOptions({ limit: "5" as never })],
    ["a negative offset", () => store.listWithOptions({ offset: -1 })],
    ["an offset that is NaN", () => store.listWithOptions({ offset: Number.NaN })],
    ["an offset and a cursor", () => store.listWithOptions({ offset: 1, cursor: "x" })],
    ["an empty execution in a list", () => store.listWithOptions({ executionId: "" })],
    ["an empty thread in a list", () => store.listWithOptions({ threadId: "" })],
    ["a filter that is a list", () => store.listWithOptions({ filter: [] as never })],
    ["a filter that JSON cannot say", () => store.listWithOptions({ filter: { a: 1n } })],
    ["withTotal that is neither", () => store.listWithOptions({ withTotal: 1 as never })],
    ["a misspelt option of a list", () => store.listWithOptions({ orderby: "id ASC" } as never)],
    ["options that are none", () => store.listWithOptions(null as never)],
    ["a transaction of nothing", () => store.transaction(undefined as never)],
    ["a transaction's option", () => store.transaction(async () => {}, { isolation: 1 } as never)],
    ["a deadline of 0", () => store.transaction(async () => {}, { deadline: 0 })],
  ];
  test.each(calls)("%s", async (_, call) => {
    const error = await failure(call());
    expect(error.message).not.toContain("the database was asked");
    expect(["INVALID_CONFIG", "INVALID_OPTION"]).toContain(error.code);
  });

  test("resumeConfig says at once what is wrong", () => {
    expect(() => store.resumeConfig("")).toThrowError(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
    expect(() => store.resumeConfig("t", "")).toThrowError(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
  });

  const options: [string, unknown][] = [
    ["a TTL of zero", { ttl: { threads: 0 } }],
    ["a negative TTL", { ttl: { checkpoints: -1 } }],
    ["a TTL that is NaN", { ttl: { checkpoints: Number.NaN } }],
    ["a TTL in words", { ttl: { threads: "a while" } }],
    ["a TTL that is no object", { ttl: "30d" }],
    ["a refresh that is none", { ttl: { refresh: "always" } }],
    ["a misspelt TTL", { ttl: { thread: "1d" } }],
    ["an unknown option", { shcema: "x" }],
    ["a connection string for a pool that is there", { connString: "postgres:///x" }],
    ["a cache of NaN", { cacheBytes: Number.NaN }],
    ["a table name too long", { tableName: "t".repeat(60) }],
    ["a hook that is none", { onOperation: "console" }],
    ["telemetry that is neither", { telemetry: "yes" }],
    ["a sweeper that is none", { sweeper: "yes" }],
    ["a sweeper's interval of zero", { sweeper: { interval: 0 } }],
    ["no checkpoints at all", { maxCheckpoints: 0 }],
    ["an index that is neither", { metadataIndex: "gin" }],
  ];
  test.each(options)("%s", (_, bad) => {
    expect(() => PostgresCheckpointStore.fromPool(untouchable, bad as StoreOptions)).toThrowError(
      expect.objectContaining({ code: "INVALID_OPTION" }),
    );
  });
});

describe("moments", () => {
  const noon = Date.UTC(2026, 2, 1, 12);
  test.each([
    [new Date(noon), noon],
    [noon, noon],
    ["2026-03-01T12:00:00Z", noon],
    ["2026-03-01T12:00Z", noon],
    ["2026-03-01t12:00:00z", noon],
    ["2026-03-01 12:00:00+00", noon],
    ["2026-03-01T14:00:00+02:00", noon],
    ["2026-03-01T14:00:00+0200", noon],
    ["2026-03-01T06:30:00-05:30", noon],
    ["2026-03-01T12:00:00.123Z", noon + 123],
    ["2026-03-01T12:00:00.123456789Z", noon + 123],
    ["2026-03-01", Date.UTC(2026, 2, 1)],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    [0, 0],
    [-1.5, -1],
  ])("%s", (value, ms) => {
    expect(momentMs(value, "x")).toBe(ms);
  });

  test.each([
    "2026-13-01",
    "2026-00-01",
    "2026-01-00",
    "2026-01-32",
    "2025-02-29",
    "2026-1-1",
    "2026-03-01T25:00:00Z",
    "2026-03-01T12:61:00Z",
    "Sun, 01 Mar 2026 12:00:00 GMT",
    "1",
    "",
    true,
    [],
    null,
    8.64e15 + 1,
  ])("%j is none", (value) => {
    expect(() => momentMs(value, "x")).toThrowError(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: expect.stringContaining("x must be"),
      }),
    );
  });
});
