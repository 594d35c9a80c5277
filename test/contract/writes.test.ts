/** Putting checkpoints and writes: what overwrites, what is kept, and what one failure leaves for the next. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkpointOf, idsOf, putAll, putValues, threadConfig, tuples } from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  beforeAll(async () => {
    process.on("unhandledRejection", note);
    open = await openSaver(backend);
  });
  afterAll(async () => {
    await open.close();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  test("case 16: a task id is any text", async () => {
    const config = await putValues(open.saver, {});
    const ids = [
      "with,comma",
      "with 'quotes' and \"quotes\"",
      "{}",
      "\u{1f600}",
      "a\nb",
      " ",
      "NULL",
      "%s $1",
      "x".repeat(400),
      "nul\u0000",
    ];
    for (const id of ids) await open.saver.putWrites(config, [["channel", id]], id);
    const writes = (await open.empty().getTuple(config))?.pendingWrites ?? [];
    expect(writes.map(([task, , value]) => [task, value]).sort()).toEqual(
      ids.map((id) => [id, id]).sort(),
    );
  });

  test("writes come back in the order of path, task and index, by code point", async () => {
    const config = await putValues(open.saver, {});
    // In most collations of a database these stand otherwise: "a" < "B", "~" < "a", astral < BMP.
    const paths = ["~~2", "B", "a", "~1", "\uffff", "\u{10000}", ""];
    for (const path of [...paths].reverse()) {
      await open.saver.putWrites(
        config,
        [
          ["c", 0],
          ["c", 1],
        ],
        `b of ${path}`,
        path,
      );
      await open.saver.putWrites(config, [["c", 0]], `a of ${path}`, path);
    }
    const inOrder = ["", "B", "a", "~1", "~~2", "\uffff", "\u{10000}"];
    for (const saver of [open.saver, open.empty()]) {
      const [tuple] = await tuples(saver, config);
      expect(tuple?.pendingWrites).toEqual(
        inOrder.flatMap((path) => [
          [`a of ${path}`, "c", 0],
          [`b of ${path}`, "c", 0],
          [`b of ${path}`, "c", 1],
        ]),
      );
      expect((await saver.getTuple(config))?.pendingWrites).toEqual(tuple?.pendingWrites);
    }
  });

  test("case 23: putWrites without checkpoint_ns means the root namespace", async () => {
    const config = await putValues(open.saver, {});
    const { checkpoint_ns: _, ...configurable } = config.configurable ?? {};
    await open.saver.putWrites({ configurable }, [["channel", 1]], "task");
    expect((await open.saver.getTuple(config))?.pendingWrites).toEqual([["task", "channel", 1]]);
  });

  test("case 24: special channels overwrite, others are kept, decided write by write", async () => {
    const config = await putValues(open.saver, {});
    await open.saver.putWrites(
      config,
      [
        ["a", "first"],
        ["__error__", "first"],
        ["b", "first"],
      ],
      "task",
    );
    await open.saver.putWrites(
      config,
      [
        ["a", "second"],
        ["__error__", "second"],
        ["b", "second"],
        ["c", "new"],
      ],
      "task",
    );
    const writes = (await open.saver.getTuple(config))?.pendingWrites ?? [];
    expect(Object.fromEntries(writes.map(([, channel, value]) => [channel, value]))).toEqual({
      a: "first",
      b: "first",
      c: "new",
      __error__: "second",
    });
    expect(writes).toHaveLength(4);
  });

  test("one batch may say several things on a special channel: the last counts", async () => {
    const config = await putValues(open.saver, {});
    const batch: [string, unknown][] = [
      ["__resume__", ["one"]],
      ["a", 1],
      ["__resume__", ["one", "two"]],
    ];
    await open.saver.putWrites(config, batch, "task");
    const writes = (await open.saver.getTuple(config))?.pendingWrites ?? [];
    expect(writes).toContainEqual(["task", "__resume__", ["one", "two"]]);
    expect(writes).toHaveLength(2);
  });

  test("a channel that is named like a prototype's property is an ordinary channel", async () => {
    const config = await putValues(open.saver, {});
    for (const value of [1, 2]) {
      await open.saver.putWrites(
        config,
        [
          ["toString", value],
          ["__proto__", value],
        ],
        "task",
      );
    }
    expect((await open.saver.getTuple(config))?.pendingWrites).toEqual([
      ["task", "toString", 1],
      ["task", "__proto__", 1],
    ]);
  });

  test("writes may come before their checkpoint, and in any number at once", async () => {
    const checkpoint = checkpointOf({ a: 1 });
    const config = threadConfig();
    const at = { configurable: { ...config.configurable, checkpoint_id: checkpoint.id } };
    const early = Array.from({ length: 20 }, (_, i) =>
      open.saver.putWrites(at, [["channel", i]], `task ${String(i).padStart(2, "0")}`),
    );
    await Promise.all([...early, putAll(open.saver, config, checkpoint)]);
    const tuple = await open.empty().getTuple(config);
    expect(tuple?.pendingWrites?.map(([, , value]) => value)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  test("case 28: what is put again changes nothing", async () => {
    const config = threadConfig("case 28");
    const one = checkpointOf({ list: ["first", "x".repeat(2000)] });
    const first = await putAll(open.saver, config, one);
    const writes: [string, unknown][] = [["channel", "w".repeat(2000)]];
    await open.saver.putWrites(first, writes, "task", "path");
    const two = checkpointOf({ list: ["second", "x".repeat(2000)] }, { list: 2 });
    const second = await putAll(open.saver, first, two);
    const before = await tuples(open.saver, config);
    const counts = await open.rowCounts(config.configurable?.thread_id);

    for (const saver of [open.saver, open.empty()]) {
      await putAll(saver, config, one);
      await saver.putWrites(first, writes, "task", "path");
      expect(await tuples(open.empty(), config)).toEqual(before);
      expect(await open.rowCounts(config.configurable?.thread_id)).toEqual(counts);
    }
    // Not even which checkpoint is the latest.
    expect((await open.saver.getTuple(config))?.config).toEqual(second);
  });

  test("case 29: a failed put does not poison the next", async () => {
    const config = threadConfig("case 29");
    const bad = putValues(open.saver, { bad: () => 1 }, config);
    const good = putValues(open.saver, { good: 1 }, config);
    await expect(bad).rejects.toThrow();
    await good;
    await open.sql("ALTER TABLE :schema.checkpoints_values RENAME TO elsewhere");
    const failed = Array.from({ length: 5 }, (_, i) => putValues(open.saver, { good: i }));
    const outcomes = await Promise.allSettled(failed);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
    await open.sql("ALTER TABLE :schema.elsewhere RENAME TO checkpoints_values");
    const after = await putAll(open.saver, config, checkpointOf({ good: 2 }, { good: 2 }));
    expect((await open.saver.getTuple(after))?.checkpoint.channel_values).toEqual({ good: 2 });
  });

  test("case 29: of many puts at once, only the bad ones fail", async () => {
    const configs = Array.from({ length: 30 }, () => threadConfig("case 29"));
    const outcomes = await Promise.allSettled(
      configs.map((config, i) =>
        i % 3 === 0
          ? // The database itself refuses this one, whatever it is sent together with.
            putAll(open.saver, config, checkpointOf({ a: i }, { a: badVersion() }))
          : putValues(open.saver, { a: i }, config),
      ),
    );
    const fulfilled = outcomes.filter(({ status }) => status === "fulfilled");
    for (const [i, config] of configs.entries()) {
      const values = (await open.saver.get(config))?.channel_values;
      if (outcomes[i]?.status === "fulfilled") expect(values).toEqual({ a: i });
      else expect(values).toBeUndefined();
    }
    expect(fulfilled.length).toBeGreaterThanOrEqual(20);
  });

  test("many puts of one thread at once are all stored, each in a place of its own", async () => {
    const config = threadConfig("many");
    const checkpoints = Array.from({ length: 40 }, (_, i) => checkpointOf({ a: i }, { a: i + 1 }));
    await Promise.all(checkpoints.map((checkpoint) => putAll(open.saver, config, checkpoint)));
    const found = await tuples(open.empty(), config);
    expect(idsOf(found).sort()).toEqual(checkpoints.map(({ id }) => id).sort());
    for (const { checkpoint } of found) {
      expect(checkpoint.channel_values).toEqual({ a: Number(checkpoint.channel_versions.a) - 1 });
    }
    const places = await open.sql(
      "SELECT DISTINCT seq::text FROM :schema.checkpoints WHERE thread_id = $1",
      [config.configurable?.thread_id],
    );
    expect(places).toHaveLength(40);
  });
});

/** A version too long for an index entry: hex digits, so that it does not compress to fit. */
function badVersion(): string {
  let digits = "";
  while (digits.length < 6000) digits += Math.random().toString(16).slice(2);
  return digits;
}
