import {
  AIMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
  ToolMessageChunk,
} from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { JsonPlusSerializer } from "@langchain/langgraph-checkpoint";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SerializationError } from "../../src/errors.ts";
import { createValueCodec, deserialize, serialize } from "../../src/values/codec.ts";
import { expectSame } from "./support/same.ts";
import { encodeNow, roundTrip } from "./support/store.ts";

/** Long enough to become a tree, so that each case is tried in a row and in chunks. */
const filler = Array.from({ length: 40 }, (_, index) => `filler ${index} ${"x".repeat(40)}`);

async function expectKept(value: unknown): Promise<void> {
  expectSame(await deserialize(serialize(value, "x")), value);
  expectSame(await roundTrip(value), value);
  expectSame(await roundTrip([value, ...filler]), [value, ...filler]);
  expectSame(await roundTrip({ value, filler }), { value, filler });
}

describe("case 9: NUL and lone surrogates", () => {
  const texts = ["\0", "a\0b", "\ud800", "\udfff tail", "pair \ud83d\ude00", "\ufeff", "\u2028"];

  test.each(texts)("in values: %j", async (text) => {
    await expectKept([text, { text }, text.repeat(500)]);
  });

  test.each(texts)("in keys: %j", async (key) => {
    await expectKept({ [key]: { [key]: 1 }, [key.repeat(500)]: 2 });
  });

  test("no stored text holds what PostgreSQL refuses", () => {
    const encoded = encodeNow(createValueCodec(), { "\0": [...filler, "\ud800", "\0"] });
    const stored = JSON.stringify(encoded.tree.map((chunk) => chunk.body()));
    expect(encoded.tree.length).toBeGreaterThan(0);
    expect(stored.includes("\0")).toBe(false);
    expect(/\p{Surrogate}/u.test(stored)).toBe(false);
  });
});

test("case 10: the literal text \\u0000 survives as text", async () => {
  await expectKept(["\\u0000", "\\\\u0000", { "\\u0000": "\\ud800" }]);
});

describe("case 11: data shaped like a serialised object", () => {
  const foreign = [
    { lc: 1, type: "constructor", id: ["evil", "Code"], kwargs: { command: "rm" } },
    { lc: 1, type: "constructor", id: ["langchain", "llms", "openai", "OpenAI"], kwargs: {} },
    { lc: 1, type: "constructor", id: ["langchain_core", "messages", "isAIMessage"], kwargs: {} },
    { lc: 1, type: "constructor", id: ["langchain_core", "messages", "__proto__"], kwargs: {} },
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "utils", "testing", "FakeLLM"],
      kwargs: {},
    },
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "prompts", "prompt", "PromptTemplate"],
      kwargs: {
        inner: {
          lc: 1,
          type: "constructor",
          id: ["langchain_core", "utils", "env", "getEnvironmentVariable"],
          kwargs: {},
        },
      },
    },
    { lc: 1, type: "constructor", id: [], kwargs: {} },
    { lc: 1, type: "constructor", id: [1, 2, 3], kwargs: {} },
    { lc: 1, type: "secret", id: ["DATABASE_URL"] },
    { lc: 1, type: "not_implemented", id: ["x"] },
    { lc: 2, type: "constructor", id: ["Function"], method: null, args: [["return 1"]] },
    { lc: 2, type: "constructor", id: ["Set"], method: "add", args: [[1]] },
    { lc: 2, type: "undefined" },
    { lc: 2, type: "delta_snapshot", value: 1 },
  ];

  test.each(foreign)("comes back inert: $lc $type $id", async (data) => {
    await expectKept(data);
    await expectKept({ nested: [data] });
  });

  test("the same, written by JsonPlusSerializer, is read without a word", async () => {
    const data = foreign.slice(0, 11);
    const [, bytes] = await new JsonPlusSerializer().dumpsTyped(data);
    expect(await deserialize(new TextDecoder().decode(bytes))).toStrictEqual(data);
  });

  test.each([
    { id: ["Set"], args: [] },
    { id: ["Set"], args: [{ length: 1 }] },
    { id: ["Map"], args: [[1]] },
    { id: ["Map"], args: [[["k", 1, 2]]] },
    { id: ["RegExp"], args: ["(", ""] },
    { id: ["RegExp"], args: ["a", "?"] },
    { id: ["Error"], args: [{ message: "x" }] },
    { id: ["Uint8Array"], args: [[256]] },
    { id: ["Uint8Array"], method: "of", args: [[1]] },
    { id: ["Date"], args: [0] },
    { id: ["toString"], args: [[]] },
    { id: "Set", args: [[1]] },
    { id: ["langgraph-postgres", "Date"], args: ["today"] },
    { id: ["langgraph-postgres", "BigInt"], args: ["1n"] },
    { id: ["langgraph-postgres", "Number"], args: ["5"] },
    { id: ["langgraph-postgres", "Object"], args: [[["k"]]] },
    { id: ["langgraph-postgres", "Unknown"], args: [1] },
  ])("a record with arguments that do not fit: %j", async (record) => {
    const text = JSON.stringify([{ lc: 2, type: "constructor", ...record }]);
    const expected = await new JsonPlusSerializer().loadsTyped("json", text);
    expect(expected[0].lc).toBe(2);
    expectSame(await deserialize(text), expected);
  });

  test("the same inside a message stays the user's data", async () => {
    for (const data of foreign) {
      await expectKept(
        new HumanMessage({ content: "x", additional_kwargs: { data, all: [data] } }),
      );
    }
  });
});

describe("case 12: messages keep class and content", () => {
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
  const messages = [
    new HumanMessage({ content: [{ type: "text", text: "see" }, image], id: "1", name: "ann" }),
    new AIMessage({
      content: "",
      id: "2",
      tool_calls: [
        { name: "search", args: { q: ["a", { b: null }] }, id: "call", type: "tool_call" },
      ],
      invalid_tool_calls: [
        { name: "x", args: "{", id: "bad", error: "no", type: "invalid_tool_call" },
      ],
      usage_metadata: {
        input_tokens: 1,
        output_tokens: 2,
        total_tokens: 3,
        input_token_details: { cache_read: 1 },
      },
      response_metadata: {
        model_provider: "openai",
        finish_reason: "stop",
        logprobs: null,
      },
      additional_kwargs: { function_call: { name: "f", arguments: "{}" } },
    } as never),
    new AIMessage({
      content: [{ type: "text", text: "one" }],
      response_metadata: { output_version: "v1" },
    }),
    new ToolMessage({
      content: "found",
      tool_call_id: "call",
      status: "error",
      artifact: { rows: [1, 2], table: new Map([["a", new Set([1])]]), raw: new Uint8Array([1]) },
      metadata: { ms: 5 },
    }),
    new SystemMessage("be brief"),
    new ChatMessage("hm", "critic"),
    new FunctionMessage({ content: "1", name: "f" }),
    new RemoveMessage({ id: "2" }),
    new HumanMessage({ content: "x", customField: { kept: true } } as never),
  ];

  test.each(messages.map((message) => [message.constructor.name, message] as const))(
    "%s",
    async (_, message) => {
      await expectKept(message);
      const [back] = (await roundTrip([message, ...filler])) as [typeof message];
      expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(message));
      expect(JSON.stringify(back)).toBe(JSON.stringify(message));
    },
  );

  test("a property set after construction", async () => {
    const message = new ToolMessage({ content: "x", tool_call_id: "1" });
    message.name = "agent";
    message.status = "error";
    const [back] = (await roundTrip([message])) as [ToolMessage];
    expect(back.name).toBe("agent");
    expect(back.status).toBe("error");
  });

  test("ToolMessageChunk keeps its tool call, which load would lose", async () => {
    await expectKept(new ToolMessageChunk({ content: "x", tool_call_id: "1" }));
  });

  test("messages inside messages, maps and errors", async () => {
    await expectKept(
      new ToolMessage({
        content: "x",
        tool_call_id: "1",
        artifact: { message: messages[0], all: new Map([[messages[1], new Set([messages[4]])]]) },
      }),
    );
  });
});

describe("case 12: what LangChain warns about is not warned about on every read", () => {
  const raw = [{ id: "1", type: "function", function: { name: "f", arguments: '{"a":1}' } }];
  const broken = [{ id: "1", type: "function", function: { name: "f", arguments: "{" } }];

  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([
    { additional_kwargs: { tool_calls: raw } },
    { additional_kwargs: { tool_calls: broken } },
    { additional_kwargs: { tool_calls: "odd" } },
    { additional_kwargs: { tool_calls: raw }, tool_calls: [] },
  ])("%j", async (fields) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    // As another writer stored it: the constructor has not completed the fields.
    const text = JSON.stringify({
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "AIMessage"],
      kwargs: { content: "", ...fields },
    });
    const expected = await new JsonPlusSerializer().loadsTyped("json", text);
    expect(warn).toHaveBeenCalled();
    warn.mockClear();
    expect(await deserialize(text)).toStrictEqual(expected);
    expect(warn).not.toHaveBeenCalled();
  });
});

describe("case 13: what cannot be serialised", () => {
  const circle: Record<string, unknown> = {};
  circle.back = { to: circle };
  class Stateful {
    get broken(): never {
      throw new Error("no");
    }
  }
  Object.defineProperty(Stateful.prototype, "toJSON", {
    value() {
      throw new Error("not today");
    },
  });
  const search = tool(() => "x", { name: "search", description: "d" });

  test.each<[string, unknown, string]>([
    ["a function", { a: [1, { b: () => 1 }] }, 'channel "x" at .a[1].b: a function'],
    ["a symbol", [Symbol("s")], 'channel "x" at [0]: a symbol'],
    ["a circle", { deep: circle }, "a circular reference"],
    ["a Promise", { later: Promise.resolve() }, 'channel "x" at .later: a Promise'],
    ["a WeakMap", { "a b": new WeakMap() }, 'channel "x" at ["a b"]: a WeakMap'],
    ["a tool", { tools: [search] }, 'channel "x" at .tools[0]: a DynamicTool'],
    ["toJSON that throws", [[new Stateful()]], 'channel "x" at [0][0]: something whose toJSON'],
    [
      "a function inside a message's list",
      new HumanMessage({ content: "x", additional_kwargs: { list: [() => 1] } }),
      'channel "x" at .additional_kwargs.list[0]: a function',
    ],
    ["a function in a Map", new Map([["k", () => 1]]), 'channel "x" at [0][1]: a function'],
  ])("%s raises an error that names channel and path", (_, value, message) => {
    for (const put of [value, [value, ...filler], { filler, value }]) {
      expect(() => createValueCodec().encode(put, 'channel "x"')).toThrow(SerializationError);
    }
    expect(() => serialize(value, 'channel "x"')).toThrow(message);
    expect(() => createValueCodec().encode(value, 'channel "x"')).toThrow(message);
  });

  test("the path reaches through chunks", () => {
    const value = { files: { list: [...filler, ...filler, ...filler, { f: () => 1 }], filler } };
    expect(() => createValueCodec().encode(value, 'channel "x"')).toThrow(
      'channel "x" at .files.list[120].f: a function',
    );
  });

  test("a value that was put once and then spoilt is refused as well", () => {
    const codec = createValueCodec();
    const element: Record<string, unknown> = { text: "x".repeat(400) };
    const value = [element, ...filler];
    encodeNow(codec, value);
    element.spoilt = () => 1;
    expect(() => codec.encode(value, 'channel "x"')).toThrow('channel "x" at [0].spoilt');
  });

  test("10,000 levels of nesting are refused, not a crash", async () => {
    let nested: unknown = 1;
    for (let level = 0; level < 10_000; level += 1) nested = level % 2 ? [nested] : { nested };
    const says = /channel "x" at .*: more than 1000 levels of nesting/;
    expect(() => createValueCodec().encode(nested, 'channel "x"')).toThrow(SerializationError);
    expect(() => createValueCodec().encode(nested, 'channel "x"')).toThrow(says);
    expect(() => createValueCodec().encode([...filler, nested], 'channel "x"')).toThrow(says);
  });

  test("a text that grows beyond what JavaScript can hold is refused by its length", () => {
    // Each NUL takes six characters of JSON.
    const nuls = "\0".repeat(90_000_000);
    const says = /channel "x".*: more than 536870888 characters of JSON text/;
    const message = new HumanMessage(nuls);
    expect(() => createValueCodec().encode([message], 'channel "x"')).toThrow(says);
  });

  test("1,000 levels work", async () => {
    let nested: unknown = 1;
    for (let level = 0; level < 1000; level += 1) nested = level % 2 ? [nested] : { nested };
    await expectKept(nested);
  });
});

describe("case 17: what JSON has no word for", () => {
  test.each<[string, unknown]>([
    ["undefined itself", undefined],
    ["undefined in a list", [undefined, [undefined]]],
    ["undefined in an object", { a: undefined, b: { c: undefined } }],
    ["-0", [-0, { zero: -0 }, 0]],
    ["NaN and infinities", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["bigint", [0n, -5n, 2n ** 80n]],
    ["dates", [new Date(0), { at: new Date("2024-02-29T12:34:56.789Z") }]],
    ["empty things", ["", [], {}, new Map(), new Set(), new Uint8Array()]],
    ["null", null],
    [
      "Map with any keys",
      new Map<unknown, unknown>([
        [{ a: 1 }, undefined],
        [Number.NaN, -0],
      ]),
    ],
    ["Set", new Set<unknown>([1, "1", undefined, [new Set([null])]])],
    ["errors", [new Error("x"), new TypeError("y"), new RangeError("z", { cause: [1] })]],
    ["expressions", [/a\/b[\n]/giu, /(?:)/]],
    ["bytes", { bytes: new Uint8Array([0, 255]), node: Buffer.from("abc") }],
    ["typed arrays", [new Float32Array([1.5, Number.NaN]), new BigInt64Array([-1n])]],
  ])("%s", async (_, value) => {
    await expectKept(value);
  });

  test("invalid dates", async () => {
    const value = [new Date(Number.NaN), ...filler];
    expect(await roundTrip(value)).toStrictEqual(value);
  });

  test("keys __proto__ and constructor are keys", async () => {
    const value = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
    await expectKept(value);
    await expectKept(new HumanMessage({ content: "x", additional_kwargs: value }));
    const back = (await roundTrip([value, ...filler])) as [Record<string, unknown>];
    expect(Object.keys(back[0])).toStrictEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(back[0])).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("the order of keys", async () => {
    const value = { z: 1, a: 2, 10: 3, 9: 4, "": 5 };
    expect(Object.keys((await roundTrip(value)) as object)).toStrictEqual(Object.keys(value));
    const long = { ...value, filler, y: 6 };
    expect(Object.keys((await roundTrip(long)) as object)).toStrictEqual(Object.keys(long));
  });
});
