import { isDeepStrictEqual } from "node:util";
import { HumanMessage } from "@langchain/core/messages";
import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createValueCodec, serialize, verifyChunk } from "../../src/values/codec.ts";
import { isSurelyLonger } from "../../src/values/text-length.ts";
import { anyValue } from "./support/arbitraries.ts";
import { createWords } from "./support/random.ts";
import { expectSame } from "./support/same.ts";
import { bytesOf, encodeNow, freshForm, Rows, roundTrip, rowOf } from "./support/store.ts";

const words = createWords(3);

const texts = (count: number, length: number): string[] =>
  Array.from({ length: count }, () => words(length));
const files = (count: number, length: number): Record<string, string> =>
  Object.fromEntries(texts(count, length).map((text, index) => [`src/file-${index}.ts`, text]));
const chat = (count: number, length: number): HumanMessage[] =>
  texts(count, length).map((content, index) => new HumanMessage({ content, id: `m${index}` }));

/** What storing `next` sends when `stored` is stored already. */
function sentAfter(stored: unknown, next: unknown) {
  const rows = new Rows();
  const codec = createValueCodec();
  rows.put(encodeNow(codec, stored));
  return rows.put(encodeNow(codec, next));
}

describe("what becomes a tree", () => {
  test.each<[string, unknown]>([
    ["a scalar", 5],
    ["a small list", [1, 2, 3]],
    ["a small map", { a: { b: "c" } }],
    ["a text that is not long", words(16_000)],
    ["a Map of any size", new Map(texts(100, 100).map((text) => [text, text]))],
    ["a single message", new HumanMessage(words(5000))],
    ["an object with a key lc", { lc: 1, text: words(5000) }],
  ])("%s sits in its row", async (_, value) => {
    const encoded = encodeNow(createValueCodec(), value);
    expect(encoded.chunks).toBeNull();
    expect(encoded.tree).toStrictEqual([]);
    expectSame(await roundTrip(value), value);
  });

  test.each<[string, unknown]>([
    ["a list of texts", texts(100, 300)],
    ["a list of one text", texts(1, 2000)],
    ["a list of numbers", Array.from({ length: 5000 }, (_, index) => index / 7)],
    ["a list of zeros", new Array(50_000).fill(0)],
    ["a list of lists", Array.from({ length: 50 }, () => texts(50, 100))],
    ["a list of everything", [...texts(20, 300), 1, null, undefined, {}, [], ...chat(5, 500), "x"]],
    ["a chat", chat(100, 400)],
    ["a long text", words(200_000)],
    ["a DeltaSnapshot of a long text", new DeltaSnapshot(words(100_000))],
    ["a list of long texts", texts(5, 40_000)],
    ["a map of long texts", files(5, 40_000)],
    ["a map", files(200, 500)],
    ["a map of maps", { a: files(50, 200), b: { c: files(50, 200) }, d: 1 }],
    ["small entries", Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i]))],
    ["a DeltaSnapshot of a list", new DeltaSnapshot(texts(100, 100))],
    ["a DeltaSnapshot of a map", new DeltaSnapshot(files(100, 100))],
    ["containers inside containers", nested(12)],
  ])("%s is a tree, and comes back equal", async (_, value) => {
    const encoded = encodeNow(createValueCodec(), value);
    expect(encoded.chunks?.length).toBeGreaterThan(0);
    expect(encoded.chunks?.length).toBeLessThanOrEqual(16);
    const bodies = encoded.tree.map((chunk) => chunk.body());
    expect(new Set(bodies.map((chunk) => chunk.id)).size).toBe(bodies.length);
    for (const chunk of bodies) {
      expect(verifyChunk(chunk)).toBe(true);
      expect(chunk.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(chunk.children?.length ?? 1).toBeLessThanOrEqual(24);
    }
    expectSame(await roundTrip(value), value);
  });

  function nested(depth: number): unknown {
    const inner = depth === 0 ? words(5000) : nested(depth - 1);
    return depth % 2 ? [inner, ...texts(5, 300)] : { inner, ...files(5, 300) };
  }

  test("any size around the limits", async () => {
    for (let length = 200; length < 300; length += 3) {
      const list = Array.from({ length: 6 }, () => words(length));
      expectSame(await roundTrip(list), list);
      expectSame(await roundTrip({ list, length }), { list, length });
    }
    for (let length = 980; length < 1040; length += 1) {
      for (const value of [
        [words(length)],
        { k: words(length) },
        new DeltaSnapshot([words(length)]),
      ]) {
        expectSame(await roundTrip(value), value);
      }
    }
    for (let length = 4060; length < 4110; length += 1) {
      const value = { a: { k: words(length) }, b: [[words(length)]] };
      expectSame(await roundTrip(value), value);
    }
  });
});

test("the same value makes the same chunks, whoever makes them", () => {
  const long = words(50_000);
  const value = { messages: chat(50, 400), files: files(50, 700), numbers: [1, 2, 3], long };
  expect(freshForm(value)).toStrictEqual(freshForm(structuredCloneOf(value)));
  // Frozen on purpose: other ids would mean that every stored value is stored again.
  const known = Array.from({ length: 2000 }, (_, index) => ({ index, text: `text ${index}` }));
  expect(encodeNow(createValueCodec(), known).chunks).toMatchInlineSnapshot(`
    [
      "9eafeabc-b7b2-8b48-ca5d-7f752b5f8e22",
      "38ddfccf-e876-813f-e0c3-a42e6da99fc8",
      "4000f9cb-c6a7-ba17-9fa5-67f352df098b",
      "e4580bec-9fcf-b63b-f971-7b4d470911d1",
      "ec63b646-901c-6a80-d9c4-cebf686a1d0c",
    ]
  `);

  function structuredCloneOf({ messages, ...rest }: typeof value): unknown {
    const copies = messages.map((message) => new HumanMessage({ ...message.lc_kwargs } as never));
    return { messages: copies, ...structuredClone(rest) };
  }
});

describe("a small change is a small write", () => {
  test.each([50, 500, 5000])("an append to %i texts", (count) => {
    const list = texts(count, 400);
    const sent = sentAfter(list, [...list, words(400)]);
    // The new leaf and the last index node of each level.
    expect(sent.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log(count) / Math.log(8)));
    expect(bytesOf(sent)).toBeLessThan(450);
  });

  test.each([1000, 100_000])("an append to %i numbers", (count) => {
    const list = Array.from({ length: count }, (_, index) => index * 31);
    const sent = sentAfter(list, [...list, 5]);
    expect(sent.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log(count) / Math.log(8)));
    expect(bytesOf(sent)).toBeLessThan(4100);
  });

  test.each([1, 2, 3])("the removal of the first %i of 1,000 texts", (removed) => {
    const list = texts(1000, 400);
    const sent = sentAfter(list, list.slice(removed));
    expect(bytesOf(sent)).toBe(0);
    expect(sent.length).toBeLessThan(12);
  });

  test("the removal of the first of 5,000 numbers", () => {
    const list = Array.from({ length: 5000 }, (_, index) => index * 31);
    const sent = sentAfter(list, list.slice(1));
    expect(sent.length).toBeLessThan(12);
    expect(bytesOf(sent)).toBeLessThan(5000);
  });

  test("an insertion in the middle", () => {
    const list = chat(1000, 300);
    const sent = sentAfter(list, [...list.slice(0, 500), ...chat(1, 300), ...list.slice(500)]);
    expect(sent.length).toBeLessThan(15);
  });

  test("one changed entry of 200", () => {
    const map = files(200, 5000);
    const sent = sentAfter(map, { ...map, "src/file-77.ts": words(5000) });
    expect(sent.length).toBeLessThanOrEqual(4);
    expect(bytesOf(sent)).toBeLessThan(5200);
  });

  test("one changed entry of 200 inside an object", () => {
    const map = { files: files(200, 5000), step: 1 };
    const next = { files: { ...map.files, "src/file-77.ts": words(5000) }, step: 2 };
    expect(bytesOf(sentAfter(map, next))).toBeLessThan(5300);
  });

  test.each<[string, (text: string) => string]>([
    ["an append to", (text) => `${text} the end`],
    ["something in front of", (text) => `once ${text}`],
    ["an edit in the middle of", (text) => `${text.slice(0, 150_000)}!${text.slice(150_010)}`],
  ])("%s a long text", (_, edit) => {
    const text = words(300_000);
    for (const within of [
      (one: string): unknown => one,
      (one: string) => ({ name: "report.md", text: one }),
      (one: string) => [words(300), one],
    ]) {
      const sent = sentAfter(within(text), within(edit(text)));
      expect(sent.length).toBeLessThan(9);
      expect(bytesOf(sent)).toBeLessThan(3 * 8192 + 1000);
    }
  });

  test("a nested map shares its chunks with the bare one", () => {
    const map = files(200, 500);
    const list = texts(200, 500);
    expect(sentAfter(map, { map }).length).toBe(1);
    expect(sentAfter(list, { a: 1, list }).length).toBe(2);
    expect(sentAfter(list, [list, [list]]).length).toBeLessThanOrEqual(3);
    expect(sentAfter(list, new DeltaSnapshot(list)).length).toBe(0);
    expect(sentAfter({ old: map }, { new: map }).length).toBe(1);
  });
});

test("long texts of any characters come back, whatever a slice's end falls on", async () => {
  // Without anything between them that the hash could tell apart, so slices end where they must.
  for (const unit of ["\u{1f600}", "a\u{1f600}", "\ud83d", "\ude00\ud83d", "\0", "ü", '"\\']) {
    const text = unit.repeat(70_000);
    const back = await roundTrip({ text, list: [text] });
    expect(isDeepStrictEqual(back, { text, list: [text] })).toBe(true);
    // No pair is cut in two: its halves would be escaped.
    if (!/\p{Surrogate}/u.test(unit)) {
      const { tree } = encodeNow(createValueCodec(), text);
      expect(tree.filter((chunk) => chunk.body().payload?.includes("\\ud"))).toStrictEqual([]);
    }
  }
});

test("isSurelyLonger is never wrong", () => {
  let hits = 0;
  fc.assert(
    fc.property(anyValue, (value) => {
      const { length } = serialize(value, "x");
      if (isSurelyLonger(value, Math.floor(length / 2))) hits += 1;
      expect(isSurelyLonger(value, length)).toBe(false);
    }),
    { numRuns: 1000, seed: 5 },
  );
  expect(hits).toBeGreaterThan(50);
});

describe("large values", () => {
  test("1,000,000 numbers", { timeout: 60_000 }, async () => {
    const list = Array.from({ length: 1_000_000 }, (_, index) => index);
    const codec = createValueCodec();
    const rows = new Rows();
    const encoded = encodeNow(codec, list);
    rows.put(encoded);
    expect(rows.chunks.size).toBeLessThan(20_000);
    expectSame(await createValueCodec().decode(rowOf(encoded), rows.source()), list);
    list.push(1);
    expect(bytesOf(rows.put(encodeNow(codec, list)))).toBeLessThan(4100);
  });

  test("a text of 100 MB", { timeout: 60_000 }, async () => {
    const text = words(1024).repeat(100 * 1024);
    expect((await roundTrip(text)) === text).toBe(true);
    const [back] = (await roundTrip([text])) as [string];
    expect(back === text).toBe(true);
  });
});

test("unstored asks from the top and stops where a chunk is stored", () => {
  const list = texts(2000, 300);
  const encoded = encodeNow(createValueCodec(), list);
  const all = new Set(encoded.tree.map((chunk) => chunk.id));
  const asked: string[] = [];
  const nothing = encoded.unstored((id) => {
    asked.push(id);
    return all.has(id);
  });
  expect(nothing).toStrictEqual([]);
  expect(asked).toStrictEqual(encoded.chunks);
  const positions = new Map(encoded.tree.map((chunk, index) => [chunk.id, index]));
  for (const chunk of encoded.tree) {
    for (const child of chunk.body().children ?? []) {
      expect(positions.get(child)).toBeLessThan(positions.get(chunk.id) as number);
    }
  }
});

test("missing names what is missing, as far as the way is known", async () => {
  const list = texts(500, 300);
  const codec = createValueCodec();
  const encoded = encodeNow(codec, list);
  const rows = new Rows();
  rows.put(encoded);
  const source = rows.source();
  expect(codec.missing(rowOf(encoded), source)).toStrictEqual([]);
  expect(codec.missing(rowOf(encoded), new Map())).toStrictEqual(encoded.chunks);
  expect(codec.missing({ type: "json", payload: "1", chunks: null }, new Map())).toStrictEqual([]);
  // Level by level, as a reader without a recursive query would fetch them.
  const have = new Map<string, never>();
  let rounds = 0;
  for (;;) {
    const missing = codec.missing(rowOf(encoded), have);
    if (missing.length === 0) break;
    expect(new Set(missing).size).toBe(missing.length);
    for (const id of missing) have.set(id, source.get(id) as never);
    rounds += 1;
  }
  expect(rounds).toBeLessThan(5);
  expectSame(await codec.decode(rowOf(encoded), have), list);
});
