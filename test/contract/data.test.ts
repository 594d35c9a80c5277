/** What was put comes back equal: cases 9 to 13 and 17 through `put`, `putWrites`, metadata and `getTuple`. */
import {
  AIMessage,
  AIMessageChunk,
  BaseMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SerializationError } from "../../src/index.ts";
import { checkpointOf, METADATA, putAll, putValues, threadConfig, threadOf } from "./material.ts";
import { backends, type OpenSaver, openSaver } from "./open-saver.ts";

const NUL = "\u0000";
const LONE = "\ud800";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  /** Puts `value` in state, metadata and a write; reads all three with a saver that has seen nothing. */
  async function throughEverything(value: unknown): Promise<void> {
    const metadata = { ...METADATA, value };
    const config = await putAll(open.saver, threadConfig(), checkpointOf({ value }), metadata);
    await open.saver.putWrites(config, [["value", value]], "task");
    for (const saver of [open.empty(), open.saver]) {
      const tuple = await saver.getTuple(config);
      expect(tuple?.checkpoint.channel_values).toStrictEqual({ value });
      expect(tuple?.metadata).toStrictEqual(metadata);
      expect(tuple?.pendingWrites).toStrictEqual([["task", "value", value]]);
    }
  }

  test("case 9: NUL and lone surrogates in state, metadata and writes", async () => {
    await throughEverything({
      text: `a${NUL}b`,
      lone: `${LONE}x`,
      low: "y\udc00",
      reversed: "\udc00\ud800",
      pair: "\u{1f600}",
      [`key${NUL}`]: [`${NUL}`],
      [`key${LONE}`]: { [NUL]: LONE },
    });
    // Again, too long to be stored inline.
    await throughEverything(Array.from({ length: 50 }, (_, i) => `${i}${NUL}${LONE}`.repeat(20)));
  });

  test("case 9: NUL and lone surrogates in the names of channels, tasks and namespaces", async () => {
    const names = [`c${NUL}`, `c${LONE}`, "c\ufffd", "c\\u0000", "c\u001a0000", "c"];
    const values = Object.fromEntries(
      names.map((name) => [name, `value of ${JSON.stringify(name)}`]),
    );
    for (const namespace of [`ns${NUL}`, `ns${LONE}`, "ns\ufffd"]) {
      const config = await putValues(open.saver, values, threadConfig("names", namespace));
      for (const name of names) await open.saver.putWrites(config, [[name, name]], `task ${name}`);
      const tuple = await open.empty().getTuple(config);
      expect(tuple?.config).toEqual(config);
      expect(tuple?.checkpoint.channel_values).toEqual(values);
      expect(new Set(tuple?.pendingWrites?.map(String))).toEqual(
        new Set(names.map((name) => String([`task ${name}`, name, name]))),
      );
    }
  });

  test("case 10: the literal text \\u0000 stays text", async () => {
    const text = "\\u0000 and \\ud800 and \\\\u0000";
    await throughEverything({ text, [text]: [text.repeat(200)] });
  });

  test("case 11: data shaped like a class outside LangChain's is inert, and nothing is called", async () => {
    const inert = {
      lc: 1,
      type: "constructor",
      id: ["child_process", "ChildProcess"],
      kwargs: { constructor: { name: "Evil" }, nested: { lc: 2, type: "undefined" } },
    };
    const config = await putValues(open.saver, { inert: [inert], plain: { lc: 1, other: true } });
    const values = (await open.empty().getTuple(config))?.checkpoint.channel_values ?? {};
    const [back] = values.inert as Record<string, unknown>[];
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(back).toMatchObject({ lc: 1, type: "constructor", id: inert.id });
    expect(values.plain).toEqual({ lc: 1, other: true });
  });

  test("case 12: every class of message, with all that it carries", async () => {
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
    const messages: BaseMessage[] = [
      new HumanMessage({ content: [{ type: "text", text: "look" }, image], id: "1", name: "ann" }),
      new SystemMessage("be brief"),
      new AIMessage({
        content: "",
        tool_calls: [{ id: "call", name: "search", args: { query: "tea", deep: { a: [1] } } }],
        invalid_tool_calls: [{ id: "bad", name: "x", args: "{", error: "cut off" }],
        additional_kwargs: { reasoning: "none" },
        response_metadata: { finish_reason: "stop", logprobs: null },
      }),
      new AIMessageChunk({ content: "chunk", id: "chunk" }),
      new ToolMessage({
        content: "found",
        tool_call_id: "call",
        artifact: { raw: [1, 2] },
        status: "error",
      }),
      new ChatMessage({ content: "custom", role: "critic" }),
      new FunctionMessage({ content: "42", name: "add" }),
      new RemoveMessage({ id: "1" }),
    ];
    const config = await putValues(open.saver, { messages, one: messages[2] });
    await open.saver.putWrites(config, [["messages", messages]], "task");
    for (const saver of [open.empty(), open.saver]) {
      const tuple = await saver.getTuple(config);
      const back = tuple?.checkpoint.channel_values.messages as BaseMessage[];
      expect(back.map((message) => message.constructor.name)).toEqual(
        messages.map((message) => message.constructor.name),
      );
      expect(back.every((message) => BaseMessage.isInstance(message))).toBe(true);
      expect(back.map((message) => message.toDict())).toEqual(messages.map((m) => m.toDict()));
      expect((back[4] as ToolMessage).artifact).toEqual({ raw: [1, 2] });
      expect(tuple?.pendingWrites?.[0]?.[2]).toEqual(back);
      expect(tuple?.checkpoint.channel_values.one).toEqual(back[2]);
    }
  });

  test("case 13: a value that cannot be serialised is named, and nothing is written", async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const unserialisable: [unknown, string][] = [
      [{ a: [0, { b: () => 1 }] }, ".a[1].b"],
      [{ deep: { symbol: Symbol("s") } }, ".deep.symbol"],
      [circle, ".self"],
    ];
    for (const [value, path] of unserialisable) {
      const config = threadConfig("case 13");
      const failed = putValues(open.saver, { good: 1, bad: value }, config);
      await expect(failed).rejects.toThrow(SerializationError);
      await expect(failed).rejects.toMatchObject({ code: "SERIALIZATION_FAILED" });
      await expect(failed).rejects.toThrow('"bad"');
      await expect(failed).rejects.toThrow(path);
      expect(Object.values(await open.rowCounts(threadOf(config)))).toEqual([0, 0, 0, 0, 0]);

      const put = await putValues(open.saver, { good: 1 }, config);
      const writes = open.saver.putWrites(
        put,
        [
          ["good", 2],
          ["worse", value],
        ],
        "task",
      );
      await expect(writes).rejects.toThrow('"worse"');
      expect((await open.saver.getTuple(put))?.pendingWrites).toEqual([]);
      const metadata = { ...METADATA, extra: value };
      await expect(putAll(open.saver, put, checkpointOf({ good: 3 }), metadata)).rejects.toThrow(
        SerializationError,
      );
      expect((await open.saver.get(config))?.channel_values).toEqual({ good: 1 });
    }
  });

  test("case 17: undefined, -0, NaN, dates, empty things, and keys that are names of prototypes", async () => {
    await throughEverything({
      holes: [undefined, null, undefined],
      absent: undefined,
      zero: -0,
      nan: Number.NaN,
      ends: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      date: new Date("2024-02-29T12:34:56.789Z"),
      empty: ["", [], {}, new Map(), new Set(), new Uint8Array()],
      bytes: new Uint8Array([0, 1, 255]),
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1, "1"])]]),
      pattern: /a+b/giu,
    });
    const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}');
    await throughEverything(hostile);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const config = await putValues(open.saver, JSON.parse('{"__proto__":[1],"constructor":[2]}'));
    const values = (await open.empty().getTuple(config))?.checkpoint.channel_values ?? {};
    expect(Object.entries(values)).toEqual([
      ["__proto__", [1]],
      ["constructor", [2]],
    ]);
  });

  test("what a reader does to what it got changes nothing for the next", async () => {
    const list = Array.from({ length: 40 }, (_, i) => ({ i, text: "words ".repeat(20) }));
    const config = await putValues(open.saver, { list });
    const first = (await open.saver.getTuple(config))?.checkpoint.channel_values.list;
    (first as { text: string }[]).forEach((item) => {
      item.text = "changed";
    });
    (first as unknown[]).length = 3;
    const second = (await open.saver.getTuple(config))?.checkpoint.channel_values.list;
    expect(second).toEqual(list);
  });
});
