import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { type Ahead, createAhead, type NamedValue } from "../../src/storage/ahead.ts";
import { createKnowledge, type KnowledgeStore } from "../../src/storage/thread-knowledge.ts";
import { createValueCodec, type EncodedValue } from "../../src/values/codec.ts";

const codec = createValueCodec();
const list = (first: string) => [
  first,
  ...Array.from({ length: 30 }, (_, i) => `${i}`.repeat(300)),
];

let knowledge: KnowledgeStore;
let ahead: Ahead;
beforeEach(() => {
  knowledge = createKnowledge(1_000_000);
  knowledge.learn("t", "g", "0");
  ahead = createAhead(codec, knowledge);
});

/** A value that the thread holds. */
function stored(channel: string, value: unknown): NamedValue {
  const encoded = codec.encode(value, channel) as EncodedValue;
  const chunks = encoded.unstored(() => false).map((chunk) => chunk.cached());
  knowledge.remember("t", "g", new Map(chunks.map((chunk) => [chunk.id, chunk])));
  return { channel, value: encoded };
}

describe("what is put together while the server is asked", () => {
  test("is what was put last, built anew for each reader", async () => {
    const value = stored("list", list("a"));
    ahead.put("t", "", [value]);
    const guesses = [ahead.begin("t", ""), ahead.begin("t", "")];
    await nextTurn();
    for (const guess of guesses) guess.check([value]);
    const [one, two] = guesses.map((guess) => guess.take("list")?.value);
    expect(one).toEqual(list("a"));
    expect(two).toEqual(list("a"));
    expect(one).not.toBe(two);
  });

  test("is not given where the answer holds another value", async () => {
    ahead.put("t", "", [stored("list", list("a"))]);
    const guess = ahead.begin("t", "");
    await nextTurn();
    guess.check([stored("list", list("b"))]);
    expect(guess.take("list")).toBeUndefined();
  });

  test("is not worked on where the last guess was wrong, until one would have been right", async () => {
    const [a, b] = [stored("list", list("a")), stored("list", list("b"))];
    const guessThat = async (answer: NamedValue): Promise<boolean> => {
      const guess = ahead.begin("t", "");
      await nextTurn();
      guess.check([answer]);
      return guess.take("list") !== undefined;
    };
    ahead.put("t", "", [a]);
    expect(await guessThat(a)).toBe(true);
    expect(await guessThat(b)).toBe(false);
    expect(await guessThat(b)).toBe(false);
    expect(await guessThat(b)).toBe(true);
  });

  test("is left alone where the answer came first, or none came", async () => {
    const value = stored("list", list("a"));
    ahead.put("t", "", [value]);
    const guess = ahead.begin("t", "");
    guess.end();
    await nextTurn();
    guess.check([value]);
    expect(guess.take("list")).toBeUndefined();
  });

  test("is of the same thread and namespace, and needs all of its chunks in memory", async () => {
    const value = stored("list", list("a"));
    ahead.put("t", "", [value]);
    const guesses = [ahead.begin("t", "sub"), ahead.begin("other", "")];
    knowledge.learn("t", "g2", "0");
    guesses.push(ahead.begin("t", ""));
    await nextTurn();
    for (const guess of guesses) {
      guess.check([value]);
      expect(guess.take("list")).toBeUndefined();
    }
  });
});
