/** Strings that mean something to SQL, to JavaScript or to nobody, in every place that a string can have. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  LangGraphPostgresError,
  PostgresCheckpointStore,
  PostgresSaver,
  type RecordOrder,
} from "../../src/index.ts";
import { seeded } from "../torture/random.ts";
import { checkpointOf, METADATA, putAll, tuples } from "./material.ts";
import { newest, type OpenSaver, openSaver } from "./open-saver.ts";

const HOSTILE = [
  "'; DROP TABLE checkpoints; --",
  `"; DROP SCHEMA langgraph CASCADE; --`,
  "' OR '1'='1",
  "1); DELETE FROM checkpoints WHERE (1=1",
  "\\'; SELECT pg_sleep(10); --",
  "$$; DROP TABLE checkpoints; $$",
  "$1",
  "$tag$ || current_user || $tag$",
  "/* */ UNION SELECT * FROM pg_shadow --",
  "E'\\x27'",
  "%s%n%d",
  "%' LIKE '_",
  '{a,NULL,"b"}',
  "(1,2)",
  "NULL",
  "null",
  "\\u0000",
  "\\x00",
  ":schema",
  ":{threads}",
  "a|b:c",
  "\n\r\t",
  " leading and trailing ",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "__defineGetter__",
  "length",
  "ẞ İ ﬁ e\u0301 \u202e \ufeff",
  "\0",
  "a\u001ab",
  "\ud800",
  "",
];

/** Any UTF-16 units: NULs, lone surrogates, all planes. */
function anyText(random: ReturnType<typeof seeded>): string {
  return Array.from({ length: random.between(1, 12) }, () => {
    const kind = random.below(4);
    if (kind === 0) return String.fromCharCode(random.below(0x80));
    if (kind === 1) return String.fromCharCode(random.below(0x10000));
    return String.fromCodePoint(random.below(0x110000));
  }).join("");
}

const random = seeded(7);
const STRINGS = [...HOSTILE, ...Array.from({ length: 16 }, () => anyText(random))];

let open: OpenSaver;
let store: PostgresCheckpointStore;
let tables: unknown;
const bystander = { configurable: { thread_id: "bystander", checkpoint_ns: "" } };
const tablesNow = () =>
  open.sql("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 2", [
    open.schema,
  ]);

beforeAll(async () => {
  open = await openSaver(newest);
  store = PostgresCheckpointStore.fromPool(open.pool, { schema: open.schema });
  await putAll(open.saver, bystander, checkpointOf({ here: true }));
  tables = await tablesNow();
});

afterAll(async () => {
  // Nothing else was touched by any of them: no table, no other thread, no prototype.
  expect(await tablesNow()).toEqual(tables);
  const read = await open.empty().getTuple(bystander);
  expect(read?.checkpoint.channel_values).toEqual({ here: true });
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  await store.close();
  await open.close();
});

/** An object with this key of its own, whatever it is called. */
const keyed = (key: string, value: unknown): Record<string, unknown> =>
  Object.fromEntries([[key, value]]);

/** What it came to: the result, or the typed error that refused it. */
async function kept<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    expect(error).toBeInstanceOf(LangGraphPostgresError);
    expect((error as LangGraphPostgresError).code).toMatch(/^INVALID_(CONFIG|OPTION)$/);
    return undefined;
  }
}

const shown = (text: string): string => JSON.stringify(text);

test.each(STRINGS.map((text) => [shown(text), text]))(
  "a graph's names and values: %s",
  async (_, text) => {
    const elsewhere = randomUUID();
    const refusedAsThread =
      (await kept(() =>
        open.saver.getTuple({ configurable: { thread_id: text } }).then(() => true),
      )) === undefined;
    const thread_id = refusedAsThread ? elsewhere : text;
    const polluted = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    ) as object;
    const state = keyed(text, { ...keyed(text, [text]), polluted });
    const metadata = { ...METADATA, ...keyed(text, text) };
    const config = { configurable: { thread_id, checkpoint_ns: text } };
    const checkpoint = checkpointOf(state);
    const at = await putAll(open.saver, config, checkpoint, metadata as typeof METADATA);
    await open.saver.putWrites(at, [[text, keyed(text, text)]], text || "task", text);

    const fresh = open.empty();
    const read = await fresh.getTuple(config);
    expect(read?.config.configurable).toEqual({
      thread_id,
      checkpoint_ns: text,
      checkpoint_id: checkpoint.id,
    });
    expect(isDeepStrictEqual(read?.checkpoint.channel_values, state)).toBe(true);
    expect(isDeepStrictEqual(read?.metadata, metadata)).toBe(true);
    expect(
      isDeepStrictEqual(read?.pendingWrites, [[text || "task", text, keyed(text, text)]]),
    ).toBe(true);

    const all = { configurable: { thread_id } };
    const found = await tuples(fresh, all, { filter: keyed(text, text) });
    expect(found.map((one) => one.checkpoint.id)).toEqual([checkpoint.id]);
    expect(await tuples(fresh, all, { filter: keyed(text, `${text}?`) })).toEqual([]);
    expect(await tuples(fresh, all, { filter: keyed(`${text}?`, text) })).toEqual([]);
    // As the id of a checkpoint, too, and as one that the list is to end before.
    const before = { configurable: { thread_id, checkpoint_ns: text, checkpoint_id: text } };
    expect(
      await fresh.getTuple(text === "" ? { configurable: { thread_id: randomUUID() } } : before),
    ).toBeUndefined();
    await kept(() => tuples(fresh, all, { before }));
    if (text !== "") {
      const named = checkpointOf({ a: text }, {}, { id: text });
      await putAll(open.saver, config, named);
      expect((await open.empty().getTuple(before))?.checkpoint.channel_values).toEqual({ a: text });
    }
    await open.saver.deleteThread(thread_id);
    expect((await open.rowCounts(thread_id)).checkpoints).toBe(0);
  },
);

test.each(STRINGS.map((text) => [shown(text), text]))(
  "a record's names and values: %s",
  async (_, text) => {
    const thread = randomUUID();
    const metadata = keyed(text, text);
    const record = {
      id: text,
      threadId: text,
      executionId: text,
      nodeName: text || "node",
      state: keyed(text, text),
      metadata,
    };
    const saved =
      (await kept(() => store.save(record))) ??
      (await store.save({ ...record, id: randomUUID(), threadId: thread, executionId: "run" }));
    const loaded = await store.load(saved.id);
    expect(loaded?.nodeName).toBe(text || "node");
    expect(isDeepStrictEqual(loaded?.state, keyed(text, text))).toBe(true);
    const { checkpoints } = await store.listWithOptions({
      threadId: saved.threadId,
      executionId: saved.executionId,
      filter: metadata,
    });
    expect(checkpoints.map(({ id }) => id)).toEqual([saved.id]);
    for (const option of [
      { orderBy: text as RecordOrder },
      { cursor: text },
      { limit: text as unknown as number },
    ]) {
      await expect(store.listWithOptions(option)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    }
    await store.deleteThread(saved.threadId);
  },
);

test.each(HOSTILE.filter((text) => text !== "" && !/[\0\ud800]/.test(text)).slice(0, 5))(
  "a schema and a table called %s",
  async (text) => {
    const settings = { schema: `${text.slice(0, 40)} 1`, tableName: `${text.slice(0, 30)} 2` };
    const saver = new PostgresSaver(open.pool, undefined, settings);
    await saver.setup();
    const config = { configurable: { thread_id: "t", checkpoint_ns: "" } };
    await putAll(saver, config, checkpointOf({ text }));
    const read = await new PostgresSaver(open.pool, undefined, settings).getTuple(config);
    expect(read?.checkpoint.channel_values).toEqual({ text });
    const found = await open.sql("SELECT schemaname FROM pg_tables WHERE tablename = $1", [
      settings.tableName,
    ]);
    expect(found).toEqual([{ schemaname: settings.schema }]);
    await open.sql(`DROP SCHEMA "${settings.schema.replaceAll('"', '""')}" CASCADE`);
  },
);
