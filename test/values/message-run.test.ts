import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKnowledge } from "../../src/storage/thread-knowledge.ts";
import { type ChunkId, createValueCodec } from "../../src/values/codec.ts";
import { rootHeader } from "../../src/values/headers.ts";
import { toWire } from "../../src/values/to-wire.ts";
import { nodeChunk, type TreeChunk, textLeaf } from "../../src/values/tree-chunk.ts";
import { createWords } from "./support/random.ts";
import { encodeNow, freshForm, Rows, rowOf, storedForm } from "./support/store.ts";

const words = createWords(19);

// biome-ignore lint/suspicious/noExplicitAny: nodes change messages in ways their types forbid.
type Loose = any;

const KINDS: readonly (() => unknown)[] = [
  () => new HumanMessage({ content: words(300), id: words(20) }),
  () => new AIMessage({ content: words(600), id: words(20) }),
  () => new ToolMessage({ content: words(400), tool_call_id: words(9), artifact: { n: [1] } }),
  () => new HumanMessage("ok"),
  () => new AIMessage("yes"),
];
const OTHERS: readonly (() => unknown)[] = [
  () => ({ text: words(500) }),
  () => words(300),
  () => 7,
  () => Array.from({ length: 30 }, () => words(60)),
];

/** A thread of one process: what it put and read stays in its memory, as chunks and in them. */
function createThread() {
  const codec = createValueCodec();
  const knowledge = createKnowledge(1e9);
  knowledge.learn("t", "g", "");
  const source = () => knowledge.learn("t", "g", "");
  return {
    codec,
    put(value: unknown) {
      const encoded = encodeNow(codec, value);
      const sent = encoded.unstored((id) => source().has(id));
      const chunks = sent.map((chunk): [ChunkId, TreeChunk] => [chunk.id, chunk.cached() as never]);
      knowledge.remember("t", "g", new Map(chunks));
      return encoded;
    },
    read: (row: Parameters<typeof codec.decode>[0]) =>
      codec.decode(row, source().hold()) as Loose[],
    known: (id: ChunkId) => source().hold().get(id),
    runs: (ids: readonly ChunkId[] | null) =>
      (ids ?? []).filter((id) => (source().hold().get(id) as TreeChunk).messages).length,
  };
}

function chatOf(length: number, kind: (index: number) => number): unknown[] {
  return Array.from({ length }, (_, index) => KINDS[kind(index)]?.());
}

const CHANGES: Record<string, (list: Loose[], at: number, other: number) => void> = {
  append: (list, _, other) => list.push(...chatOf(1 + (other % 5), (index) => (other + index) % 5)),
  "change in place": (list, at) => Object.assign(list[at] ?? {}, { content: words(300) }),
  "change of an artifact": (list, at) => list[at]?.artifact?.n?.push(2),
  "an equal message": (list, at) => {
    const message = list[at] as BaseMessage;
    if (message instanceof HumanMessage)
      list[at] = new HumanMessage({ ...message.lc_kwargs } as never);
  },
  "one gone": (list, at) => list.splice(at, 1),
  "the first gone": (list, _, other) => list.splice(0, other % 30),
  "the last gone": (list, at) => (list.length = at),
  "one between": (list, at, other) => list.splice(at, 0, (OTHERS[other % 4] as () => unknown)()),
  "a message between": (list, at, other) =>
    list.splice(at, 0, (KINDS[other % 5] as () => unknown)()),
  "neighbours swapped": (list, at) => list.splice(at, 2, ...list.slice(at, at + 2).reverse()),
  "some twice": (list, at, other) => list.splice(other % 40, 0, ...list.slice(at, at + 20)),
};

const change = fc.record({
  kind: fc.constantFrom(...Object.keys(CHANGES), "read", "read", "put"),
  at: fc.nat(),
  other: fc.nat(),
});

describe("the messages below an index node", () => {
  test("are known after a put, and after a first read", async () => {
    const writer = createThread();
    const list = chatOf(200, (index) => index % 2);
    const { chunks } = writer.put(list);
    expect(writer.runs(chunks)).toBeGreaterThan(8);

    const rows = new Rows();
    const encoded = encodeNow(createValueCodec(), list);
    rows.put(encoded);
    const source = rows.source();
    const below = ({ children }: { children: readonly ChunkId[] | null }) => ({
      chunks: (children ?? []).map((id) => source.get(id) as TreeChunk),
      areLeaves: true,
    });
    await createValueCodec().decode(rowOf(encoded), { get: (id) => source.get(id), below });
    const known = [...source.values()].filter((chunk) => (chunk as TreeChunk).messages);
    expect(known.length).toBeGreaterThan(8);
  });

  test("are remembered one by one as well", () => {
    const { codec, put, read, known } = createThread();
    const list = read(put(chatOf(200, (index) => index % 2)));
    list.shift();
    const leaves = encodeNow(codec, list).tree.filter((chunk) => chunk.body().children === null);
    expect(leaves).toHaveLength(199);
    for (const leaf of leaves) expect(leaf.cached()).toBe(known(leaf.id));
  });

  test("are forgotten with the list: none leads to all that it ever stood beside", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const codec = createValueCodec();
    const leaves: WeakRef<object>[] = [];
    let list: unknown[] = chatOf(60, () => 1);
    for (let n = 0; n < 300; n += 1) {
      list = [...chatOf(1, () => 1), ...list.slice(0, 59)];
      for (const chunk of encodeNow(codec, list).tree) {
        if (n % 10 === 0) leaves.push(new WeakRef(chunk.cached()));
      }
      if (n % 10 === 0) await nextTurn();
    }
    collectGarbage();
    const kept = new Set(leaves.flatMap((leaf) => leaf.deref() ?? []));
    // The leaves of the list as it is and as it was not long ago; all of them would be 400.
    expect(kept.size).toBeLessThan(150);
    expect(list).toHaveLength(60);
  });

  test("are not, where they were cut by other numbers", () => {
    const messages: unknown[] = chatOf(7, (index) => (index === 1 || index === 2 ? 3 : 0));
    let leaves: TreeChunk[] = [];
    // Until the last one would close a node.
    while (!["0", "8"].includes(leaves.at(-1)?.id.at(-1) ?? "")) {
      messages[7] = chatOf(1, () => 0)[0];
      leaves = messages.map((message) => textLeaf(true, JSON.stringify(toWire(message))));
    }
    const node = nodeChunk(
      null,
      leaves.map(({ id }) => id),
    );
    const chunks = new Map([node, ...leaves].map((chunk) => [chunk.id, chunk]));
    const codec = createValueCodec();
    const list = codec.decode(
      {
        type: "json",
        payload: rootHeader({ kind: "[", isDeltaSnapshot: false }),
        chunks: [node.id, node.id, node.id],
      },
      {
        get: (id) => chunks.get(id),
        below: () => ({ chunks: leaves, areLeaves: true }),
      },
    );
    expect(list).toHaveLength(24);
    expect(node.messages).toBeNull();
    expect(storedForm(codec, list)).toStrictEqual(freshForm(list));
  });

  test.each([
    ["long ones", (index: number) => index % 2],
    ["short questions", (index: number) => (index % 2 === 0 ? 3 : 1)],
    ["short answers", (index: number) => (index % 2 === 0 ? 0 : 4)],
    ["short ones side by side", (index: number) => [0, 3, 4, 1, 2][index % 5] as number],
  ])("%s: whatever happens to the list, it is cut as if nothing were remembered", (_, kind) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 400 }),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        (length, changes) => {
          const thread = createThread();
          let list: Loose[] = chatOf(length, kind);
          for (const { kind, at, other } of [...changes, { kind: "read", at: 0, other: 0 }]) {
            if (kind === "read") list = thread.read(thread.put(list));
            else if (kind === "put") thread.put(list);
            else CHANGES[kind]?.(list, at % (list.length + 1), other);
            if (!Array.isArray(list)) list = [list];
            const fresh = freshForm(list);
            expect(storedForm(thread.codec, list)).toStrictEqual(fresh);
            expect(freshForm(thread.read(thread.put(list)))).toStrictEqual(fresh);
          }
        },
      ),
      { numRuns: Number(process.env.VALUES_RUNS ?? 40), seed: 5 },
    );
  });
});
