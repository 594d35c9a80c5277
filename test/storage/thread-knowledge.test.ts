import { describe, expect, test } from "vitest";
import { createKnowledge } from "../../src/storage/thread-knowledge.ts";
import { type CachedChunk, cachedChunk } from "../../src/values/codec.ts";

const chunk = (id: string, length: number): [string, CachedChunk] => [
  id,
  cachedChunk({ id, payload: JSON.stringify(["x".repeat(length)]), children: null }),
];

describe("what a process knows of threads", () => {
  test("chunks are known under the generation they were seen under, and under no other", () => {
    const knowledge = createKnowledge(1_000_000);
    knowledge.learn("t", "g1", "0");
    knowledge.remember("t", "g1", new Map([chunk("a", 10)]));
    expect(knowledge.get("t")?.has("a")).toBe(true);
    knowledge.learn("t", "g1", "0");
    expect(knowledge.get("t")?.has("a")).toBe(true);
    knowledge.learn("t", "g2", "0");
    expect(knowledge.get("t")?.has("a")).toBe(false);
    // An answer that comes late, from before the thread was pruned.
    knowledge.remember("t", "g1", new Map([chunk("b", 10)]));
    expect(knowledge.get("t")?.has("b")).toBe(false);
    expect(knowledge.bytes).toBe(0);
  });

  test("memory is bounded: bodies go first, of the thread that was used longest ago", () => {
    const knowledge = createKnowledge(30_000);
    for (const thread of ["old", "middle", "new"]) {
      knowledge.learn(thread, "g", "0");
      knowledge.remember(thread, "g", new Map([chunk(`${thread} chunk`, 4_000)]));
    }
    expect(knowledge.get("old")?.hold().get("old chunk")).toBeDefined();
    // "middle" is now the one that was used longest ago.
    knowledge.learn("more", "g", "0");
    knowledge.remember("more", "g", new Map([chunk("more chunk", 4_000)]));
    expect(knowledge.bytes).toBeLessThanOrEqual(30_000);
    expect(knowledge.get("middle")?.hold().get("middle chunk")).toBeUndefined();
    expect(knowledge.get("middle")?.has("middle chunk")).toBe(true);
    expect(knowledge.get("old")?.hold().get("old chunk")).toBeDefined();
  });

  test("what is below a chunk is known when all of it is, and no longer than it is in memory", () => {
    const knowledge = createKnowledge(30_000);
    const node = cachedChunk({ id: "node", payload: null, children: ["a", "b"] });
    const thread = knowledge.learn("t", "g", "0");
    knowledge.remember("t", "g", new Map([["node", node], chunk("a", 10)]));
    expect(thread.hold().below?.(node)).toBeUndefined();
    knowledge.remember("t", "g", new Map([chunk("b", 10)]));
    expect(thread.hold().below?.(node)?.chunks).toEqual([
      thread.hold().get("a"),
      thread.hold().get("b"),
    ]);
    expect(thread.hold().below?.(node)?.areLeaves).toBe(true);
    const above = cachedChunk({ id: "above", payload: null, children: ["node", "a"] });
    knowledge.remember("t", "g", new Map([["above", above]]));
    expect(thread.hold().below?.(above)?.areLeaves).toBe(false);
    const held = thread.hold();
    knowledge.learn("other", "g", "0");
    knowledge.remember("other", "g", new Map([chunk("large", 14_000)]));
    expect(thread.hold().get("a")).toBeUndefined();
    expect(thread.hold().below?.(node)).toBeUndefined();
    expect(held.get("a")).toBeDefined();
    expect(held.below?.(node)?.chunks).toHaveLength(2);
  });

  test("ids go when there are only ids left", () => {
    const knowledge = createKnowledge(1_000);
    knowledge.learn("t", "g", "0");
    for (let i = 0; i < 100; i += 1) knowledge.remember("t", "g", new Map([chunk(`c${i}`, 1)]));
    expect(knowledge.bytes).toBeLessThanOrEqual(1_000);
    expect(knowledge.get("t")?.generation).toBe("g");
  });

  test("zero bytes remember no chunk, but still the generation", () => {
    const knowledge = createKnowledge(0);
    knowledge.learn("t", "g", "0");
    knowledge.remember("t", "g", new Map([chunk("a", 1)]));
    expect(knowledge.get("t")?.has("a")).toBe(false);
    expect(knowledge.get("t")?.generation).toBe("g");
    expect(knowledge.bytes).toBe(0);
  });
});
