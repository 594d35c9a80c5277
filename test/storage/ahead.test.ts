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

/** Of a checkpoint that has these values. */
function put(values: readonly NamedValue[], all = values): void {
  ahead.put("t", "", values, all);
}

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
    put([value]);
    const guesses = [ahead.begin("t", ""), ahead.begin("t", "")];
    await nextTurn();
    for (const guess of guesses) guess.check([value]);
    const [one, two] = guesses.map((guess) => guess.take("list")?.value);
    expect(one).toEqual(list("a"));
    expect(two).toEqual(list("a"));
    expect(one).not.toBe(two);
  });

  test("is not given where the answer holds another value", async () => {
    put([stored("list", list("a"))]);
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
    put([a]);
    expect(await guessThat(a)).toBe(true);
    expect(await guessThat(b)).toBe(false);
    expect(await guessThat(b)).toBe(false);
    expect(await guessThat(b)).toBe(true);
  });

  test("is left alone where the answer came first, or none came", async () => {
    const value = stored("list", list("a"));
    put([value]);
    const guess = ahead.begin("t", "");
    guess.end();
    await nextTurn();
    guess.check([value]);
    expect(guess.take("list")).toBeUndefined();
  });

  test("is of the same thread and namespace", async () => {
    const value = stored("list", list("a"));
    put([value]);
    const guesses = [ahead.begin("t", "sub"), ahead.begin("other", "")];
    await nextTurn();
    for (const guess of guesses) {
      guess.check([value]);
      expect(guess.take("list")).toBeUndefined();
    }
  });

  test("needs all of its chunks in memory", async () => {
    const value = stored("list", list("a"));
    put([value]);
    knowledge.learn("t", "g2", "0");
    const guess = ahead.begin("t", "");
    await nextTurn();
    guess.check([value]);
    expect(guess.take("list")).toBeUndefined();
  });

  test("is not what was put after the answer came", async () => {
    const [a, b] = [stored("list", list("a")), stored("list", list("b"))];
    put([a]);
    const guess = ahead.begin("t", "");
    guess.check([a]);
    // Another run's put, while this reader waits for a channel whose class has to be loaded.
    put([b]);
    await nextTurn();
    expect(guess.take("list")).toBeUndefined();
  });

  test("is of no channel that the checkpoint does not have any more", async () => {
    const [input, value] = [stored("__start__", list("in")), stored("list", list("a"))];
    put([input]);
    put([value], [value]);
    const guess = ahead.begin("t", "");
    await nextTurn();
    guess.check([value]);
    expect(guess.take("list")).toBeDefined();
    expect(guess.take("__start__")).toBeUndefined();
    const next = ahead.begin("t", "");
    next.check([]);
    const last = ahead.begin("t", "");
    await nextTurn();
    last.check([value]);
    expect(last.take("list")).toBeUndefined();
  });
});
