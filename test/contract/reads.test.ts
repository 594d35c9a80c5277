/** Listing and reading: what belongs to whom, filters, old formats, and lists of any length. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Checkpoint, TASKS, uuid6 } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { InvalidConfigError } from "../../src/index.ts";
import {
  checkpointOf,
  idsOf,
  METADATA,
  putAll,
  putValues,
  threadConfig,
  threadOf,
  tuples,
} from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  beforeEach(() => open.clear());
  afterAll(() => open.close());

  test("case 6: a checkpoint without versions_seen or channel_versions loads", async () => {
    const whole = checkpointOf({ a: 1 });
    for (const missing of ["versions_seen", "channel_versions", "channel_values", "ts"] as const) {
      const { [missing]: _, ...rest } = whole;
      const config = await open.saver.put(threadConfig(), rest as Checkpoint, METADATA, { a: 1 });
      for (const saver of [open.saver, open.empty()]) {
        const back = await saver.getTuple(config);
        expect(back?.checkpoint.id).toBe(whole.id);
        expect(back?.checkpoint.versions_seen).toEqual({});
        expect(back?.checkpoint.channel_versions).toEqual(
          missing === "channel_versions" ? {} : { a: 1 },
        );
        expect(back?.checkpoint.channel_values).toEqual(
          ["versions_seen", "ts"].includes(missing) ? { a: 1 } : {},
        );
        expect(await tuples(saver, config)).toEqual([back]);
      }
    }
  });

  test("case 18: a list without a thread has all threads; with an empty one it is an error", async () => {
    const configs = [];
    for (let i = 0; i < 4; i += 1) configs.push(await putValues(open.saver, { i }));
    const all = await tuples(open.saver, { configurable: {} });
    expect(new Set(all.map(({ config }) => threadOf(config)))).toEqual(
      new Set(configs.map(threadOf)),
    );
    expect(await tuples(open.saver, {})).toEqual(all);
    expect(await tuples(open.saver, {}, { limit: 3 })).toEqual(all.slice(0, 3));
    const empty = tuples(open.saver, { configurable: { thread_id: "" } });
    await expect(empty).rejects.toThrow(InvalidConfigError);
  });

  test("a limit counts over all pages; zero lists nothing, and what is no number is an error", async () => {
    const config = threadConfig("limits");
    const checkpoints = Array.from({ length: 120 }, (_, i) =>
      checkpointOf({}, {}, { id: uuid6(i) }),
    );
    for (const checkpoint of checkpoints) await putAll(open.saver, config, checkpoint);
    const newestFirst = checkpoints.map(({ id }) => id).reverse();
    for (const limit of [0, 1, 49, 50, 51, 100, 119, 120, 500]) {
      expect(idsOf(await tuples(open.saver, config, { limit }))).toEqual(
        newestFirst.slice(0, limit),
      );
    }
    const before = { configurable: { checkpoint_id: newestFirst[60] } };
    expect(idsOf(await tuples(open.saver, config, { before }))).toEqual(newestFirst.slice(61));
    for (const limit of [-1, 1.5, Number.NaN, "5" as unknown as number]) {
      await expect(tuples(open.saver, config, { limit })).rejects.toThrow(InvalidConfigError);
    }
  });

  test("case 19: filters with hostile keys and values are bound, not interpolated", async () => {
    const hostile = [
      "'; DROP TABLE checkpoints; --",
      '"quoted"',
      "a.b",
      "$.a",
      "{a,b}",
      "\\",
      "%",
      "?",
      "nul\u0000",
      "\ud800",
      "toString",
      "",
    ];
    for (const key of hostile) {
      await putAll(open.saver, threadConfig(), checkpointOf({}), { ...METADATA, [key]: key });
    }
    await putAll(open.saver, threadConfig(), checkpointOf({}), METADATA);
    for (const key of hostile) {
      const found = await tuples(open.saver, {}, { filter: { [key]: key } });
      expect(found.map(({ metadata }) => metadata)).toEqual([{ ...METADATA, [key]: key }]);
      expect(await tuples(open.saver, {}, { filter: { [key]: "other" } })).toEqual([]);
    }
    const proto = JSON.parse('{"__proto__": "x"}');
    expect(await tuples(open.saver, {}, { filter: proto })).toEqual([]);
    expect((await open.rowCounts()).checkpoints).toBe(hostile.length + 1);
  });

  test("filters tell numbers, text, booleans and null apart, and all conditions hold at once", async () => {
    const kinds = [1, "1", true, "true", null, "null", 1.5];
    for (const kind of kinds) {
      const metadata: object = { kind };
      await putAll(open.saver, threadConfig(), checkpointOf({}), {
        ...METADATA,
        step: 7,
        ...metadata,
      });
    }
    for (const kind of kinds) {
      const found = await tuples(open.saver, {}, { filter: { kind, step: 7 } });
      expect(found.map(({ metadata }) => (metadata as { kind?: unknown }).kind)).toEqual([kind]);
    }
    expect(await tuples(open.saver, {}, { filter: { kind: 1, step: 8 } })).toEqual([]);
    expect(await tuples(open.saver, {}, { filter: {} })).toHaveLength(kinds.length);
  });

  test("case 20: old checkpoints in a cross-thread list have each their own sends", async () => {
    const old = { v: 1, versions_seen: {}, ts: "2024-04-19T17:19:07.952Z" };
    const expected = new Map<string, unknown>();
    for (const name of ["one", "two", "three"]) {
      const parent = await putAll(open.saver, threadConfig(name), checkpointOf({}, {}, old));
      await open.saver.putWrites(parent, [[TASKS, `${name} b`]], "task b");
      await open.saver.putWrites(
        parent,
        [
          [TASKS, `${name} a`],
          ["other", 0],
        ],
        "task a",
      );
      const child = await putAll(open.saver, parent, checkpointOf({ x: name }, { x: 5 }, old));
      expected.set(child.configurable?.checkpoint_id, [`${name} a`, `${name} b`]);
      expected.set(parent.configurable?.checkpoint_id, undefined);
    }
    for (const saver of [open.saver, open.empty()]) {
      const found = await tuples(saver, {});
      expect(
        new Map(found.map(({ checkpoint }) => [checkpoint.id, checkpoint.channel_values[TASKS]])),
      ).toEqual(expected);
      const children = found.filter(({ parentConfig }) => parentConfig);
      expect(children.map(({ checkpoint }) => checkpoint.channel_versions[TASKS])).toEqual([
        5, 5, 5,
      ]);
      for (const tuple of found) expect(await saver.getTuple(tuple.config)).toEqual(tuple);
    }
  });

  test("case 21: one checkpoint id in two namespaces is two checkpoints", async () => {
    const checkpoint = checkpointOf({ a: "root" });
    const config = threadConfig();
    const inner = { configurable: { ...config.configurable, checkpoint_ns: "inner" } };
    const root = await putAll(open.saver, config, checkpoint);
    const child = await putAll(open.saver, inner, {
      ...checkpoint,
      channel_values: { a: "inner" },
    });
    await open.saver.putWrites(root, [["c", "of root"]], "task");
    await open.saver.putWrites(child, [["c", "of inner"]], "task");
    for (const saver of [open.saver, open.empty()]) {
      for (const [at, name] of [
        [root, "root"],
        [child, "inner"],
      ] as const) {
        const tuple = await saver.getTuple(at);
        expect(tuple?.checkpoint.channel_values).toEqual({ a: name });
        expect(tuple?.pendingWrites).toEqual([["task", "c", `of ${name}`]]);
      }
      const both = await tuples(saver, { configurable: { thread_id: threadOf(config) } });
      expect(both.map(({ pendingWrites }) => pendingWrites?.[0]?.[2]).sort()).toEqual([
        "of inner",
        "of root",
      ]);
    }
  });

  test("a list may be read with other operations in between, on one connection too", async () => {
    const config = threadConfig();
    for (let i = 0; i < 130; i += 1) await putValues(open.saver, { i }, config);
    let seen = 0;
    for await (const tuple of open.saver.list(config)) {
      const again = await open.saver.getTuple(tuple.config);
      expect(again?.checkpoint.id).toBe(tuple.checkpoint.id);
      // Nothing is held while the consumer works.
      await nextTurn();
      expect(open.pool.idleCount).toBe(open.pool.totalCount);
      seen += 1;
    }
    expect(seen).toBe(130);
  });

  test("case 22: stopping early gives everything back", async () => {
    const config = threadConfig();
    for (let i = 0; i < 60; i += 1) await putValues(open.saver, { i }, config);
    for await (const _ of open.saver.list(config)) break;
    const abandoned = open.saver.list(config);
    await abandoned.next();
    await expect(
      (async () => {
        for await (const _ of open.saver.list(config)) throw new Error("the consumer fails");
      })(),
    ).rejects.toThrow("the consumer fails");
    await nextTurn();
    expect(open.pool.idleCount).toBe(open.pool.totalCount);
    expect(open.pool.waitingCount).toBe(0);
  });
});
