import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { ChatPromptValue } from "@langchain/core/prompt_values";
import { ChatPromptTemplate, PromptTemplate } from "@langchain/core/prompts";
import { JsonPlusSerializer, type SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import { CorruptCheckpointError, SerializationError } from "../../src/errors.ts";
import {
  type Chunk,
  cachedChunk,
  createValueCodec,
  deserialize,
  type StoredValue,
  serialize,
  verifyChunk,
} from "../../src/values/codec.ts";
import { createWords } from "./support/random.ts";
import { expectSame } from "./support/same.ts";
import { encodeNow, freshForm, Rows, roundTrip, rowOf } from "./support/store.ts";

const words = createWords(5);
const list = Array.from({ length: 100 }, () => words(300));

describe("a user's serializer", () => {
  const rot: SerializerProtocol = {
    dumpsTyped: async (value) => ["rot", Buffer.from(JSON.stringify(value)).map((b) => b ^ 1)],
    loadsTyped: async (type, data) => {
      expect(type).toBe("rot");
      expect(data).toBeInstanceOf(Uint8Array);
      return JSON.parse(Buffer.from((data as Uint8Array).map((byte) => byte ^ 1)).toString());
    },
  };

  test("is honoured, and its output stays in one piece", async () => {
    const codec = createValueCodec({ serde: rot });
    const encoded = await codec.encode(list, "x");
    expect(encoded).toMatchObject({ type: "rot", chunks: null, tree: [] });
    expect(encoded.unstored(() => false)).toStrictEqual([]);
    expect(codec.missing(encoded, new Map())).toStrictEqual([]);
    expect(await codec.decode(encoded, new Map())).toStrictEqual(list);
  });

  test("an error of its own names the place", async () => {
    const broken = { ...rot, dumpsTyped: () => Promise.reject(new Error("no")) };
    const codec = createValueCodec({ serde: broken });
    await expect(codec.encode(list, 'channel "x"')).rejects.toThrow(SerializationError);
    await expect(codec.encode(list, 'channel "x"')).rejects.toThrow('channel "x"');
  });

  test("what was put before it was configured is still read", async () => {
    const encoded = encodeNow(createValueCodec(), list);
    const rows = new Rows();
    rows.put(encoded);
    const codec = createValueCodec({ serde: rot });
    expect(await codec.decode(rowOf(encoded), rows.source())).toStrictEqual(list);
  });

  test("without it, its values are refused by their type", () => {
    const stored = { type: "rot", payload: new Uint8Array([1]), chunks: null };
    expect(() => createValueCodec().decode(stored, new Map())).toThrow(CorruptCheckpointError);
  });

  test("LangGraph's own counts as none; one made of it does not", async () => {
    const own = createValueCodec({ serde: new JsonPlusSerializer() });
    expect(encodeNow(own, list).chunks).not.toBeNull();
    class Derived extends JsonPlusSerializer {}
    const derived = createValueCodec({ serde: new Derived() });
    const encoded = await derived.encode(list, "x");
    expect(encoded.chunks).toBeNull();
    expect(await derived.decode(encoded, new Map())).toStrictEqual(list);
  });

  // In rows of our own types, "json" is text: bytes that are not UTF-8 would be read as others.
  test.each(["json", "bytes", "sealed", "serde:json", "serde:"])(
    "a type called %s is told apart from ours",
    async (type) => {
      const packed = new Uint8Array([0x93, 0xff, 0xfe, 0x00]);
      const asked: unknown[] = [];
      const codec = createValueCodec({
        serde: {
          dumpsTyped: async () => [type, packed],
          loadsTyped: async (...got: unknown[]) => asked.push(got),
        },
      });
      const encoded = await codec.encode({ a: 1 }, "x");
      expect(["json", "bytes", "sealed"]).not.toContain(encoded.type);
      await codec.decode(encoded, new Map());
      expect(asked).toStrictEqual([[type, packed]]);
      expect(() => createValueCodec().decode(encoded, new Map())).toThrow(CorruptCheckpointError);
    },
  );

  test("small values that were put before it was configured are still read", async () => {
    const codec = createValueCodec({ serde: rot });
    for (const value of [{ a: [1] }, new Uint8Array([0xff, 0])]) {
      const own = encodeNow(createValueCodec(), value);
      expect(await codec.decode(rowOf(own), new Map())).toStrictEqual(value);
    }
  });
});

describe("LangChain's other classes", () => {
  const template = PromptTemplate.fromTemplate("say {what}");

  test("are revived, wherever they stand, each time anew", async () => {
    const value = {
      list,
      template,
      again: [template, new Map([["deep", template]])],
      message: new HumanMessage({ content: "x", additional_kwargs: { template } as never }),
    };
    const back = (await roundTrip(value)) as typeof value;
    const found = [
      back.template,
      back.again[0] as PromptTemplate,
      (back.again[1] as Map<string, PromptTemplate>).get("deep"),
      back.message.additional_kwargs.template as PromptTemplate,
    ];
    for (const revived of found) {
      expect(revived).toBeInstanceOf(PromptTemplate);
      expect(await revived?.format({ what: "hi" })).toBe("say hi");
    }
    expect(new Set(found).size).toBe(4);
  });

  test("as JsonPlusSerializer revives them", async () => {
    const value = [
      template,
      ChatPromptTemplate.fromMessages([["system", "be {mood}"], new AIMessage("ok")]),
      new ChatPromptValue([new HumanMessage("a"), new AIMessage("b")]),
    ];
    const text = serialize(value, "x");
    const expected = await new JsonPlusSerializer().loadsTyped("json", text);
    const actual = (await deserialize(text)) as typeof value;
    expect(actual.map((object) => object.constructor)).toStrictEqual(
      value.map((object) => object.constructor),
    );
    expect(JSON.stringify(actual)).toBe(JSON.stringify(expected));
  });

  test("reading is synchronous where none of them is met", () => {
    expect(deserialize(serialize([new AIMessage("x"), new Map()], "x"))).not.toBeInstanceOf(
      Promise,
    );
    expect(deserialize(serialize([template], "x"))).toBeInstanceOf(Promise);
  });
});

describe("stored bytes that make no sense", () => {
  const encoded = encodeNow(createValueCodec(), list);
  const decode = (stored: StoredValue, chunks: Chunk[]) =>
    createValueCodec().decode(
      stored,
      new Map(chunks.map((chunk) => [chunk.id, cachedChunk(chunk)])),
    );
  const leaf = (payload: string | null): Chunk => ({ id: "a", payload, children: null });
  const tree = (header: string): StoredValue => ({ type: "json", payload: header, chunks: ["a"] });
  const node: Chunk = { id: "a", payload: null, children: ["a"] };

  test.each<[string, () => unknown]>([
    ["no JSON", () => deserialize("{")],
    ["no text", () => deserialize("")],
    ["no JSON in a row", () => decode({ type: "json", payload: "nope", chunks: null }, [])],
    ["no payload", () => decode({ type: "json", payload: null, chunks: null }, [])],
    ["an unknown header", () => decode(tree("?"), [leaf("[1]")])],
    ["no header", () => decode(tree(""), [leaf("[1]")])],
    ["a missing chunk", () => decode(rowOf(encoded), [])],
    ["a leaf that is no JSON", () => decode(tree("["), [leaf("[1")])],
    ["a leaf without payload", () => decode(tree("["), [leaf(null)])],
    ["a leaf that is a number", () => decode(tree("["), [leaf("5")])],
    ["entries in a list", () => decode(tree("["), [leaf('{"a":1}')])],
    ["elements in a map", () => decode(tree("{"), [leaf("[1]")])],
    ["a chunk inside itself", () => decode(tree("["), [node])],
    ["a container inside itself", () => decode(tree("["), [{ ...node, payload: "[" }])],
    ["an entry in a list", () => decode(tree("["), [{ ...node, payload: '"k":[' }])],
    ["an element in a map", () => decode(tree("{"), [{ ...node, payload: "[" }])],
    ["a container with a broken key", () => decode(tree("{"), [{ ...node, payload: '"k:[' }])],
    ["a container without a colon", () => decode(tree("{"), [{ ...node, payload: '"k"[' }])],
    ["10,000 levels", () => deserialize("[".repeat(100_000) + "]".repeat(100_000))],
  ])("%s: a typed error", (_, read) => {
    expect(read).toThrow(CorruptCheckpointError);
  });

  test("an error quotes nothing that was stored", () => {
    expect(() => deserialize('{"password": secret')).toThrow(/^(?!.*secret).*$/);
  });

  test("verifyChunk notices every kind of change", () => {
    const big = { files: Object.fromEntries(list.map((text, index) => [`k${index}`, text])), list };
    for (const chunk of encodeNow(createValueCodec(), big).tree.map((chunk) => chunk.body())) {
      expect(verifyChunk(chunk)).toBe(true);
      const { payload, children } = chunk;
      if (payload) expect(verifyChunk({ ...chunk, payload: `${payload} ` })).toBe(false);
      if (children) {
        expect(verifyChunk({ ...chunk, children: [...children].reverse() })).toBe(
          children.length < 2,
        );
        expect(verifyChunk({ ...chunk, children: children.slice(1) })).toBe(false);
        expect(verifyChunk({ ...chunk, children: null })).toBe(false);
      }
    }
  });
});

test("a row's payload may come as bytes", async () => {
  const encoded = encodeNow(createValueCodec(), { a: "ä" });
  const payload = Buffer.from(encoded.payload as string);
  expectSame(await createValueCodec().decode({ ...encoded, payload }, new Map()), { a: "ä" });
});

test("a chunk says about how much memory it keeps", () => {
  const [first] = encodeNow(createValueCodec(), [words(10_000)]).tree;
  expect(first?.cached().size).toBeGreaterThan(10_000);
  expect(first?.cached().size).toBeLessThan(40_000);
});

test("a chunk's body is the same however often it is asked for", () => {
  const value = [{ text: words(300) }, { text: words(300) }, words(400), { n: 1 }, 5, { m: 2 }];
  const { tree } = encodeNow(createValueCodec(), value);
  for (const chunk of tree) expect(chunk.body()).toStrictEqual(chunk.body());
  expect(freshForm(value)).toStrictEqual(freshForm(value));
});
