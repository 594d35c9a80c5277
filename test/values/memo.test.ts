import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkId } from "../../src/values/chunk.ts";
import { createValueCodec, type StoredValue, type ValueCodec } from "../../src/values/codec.ts";
import { anyValue } from "./support/arbitraries.ts";
import { message as messageArbitrary } from "./support/message-arbitraries.ts";
import { createWords } from "./support/random.ts";
import { expectSame } from "./support/same.ts";
import { encodeNow, freshForm, Rows, roundTrip, rowOf, storedForm } from "./support/store.ts";

const words = createWords(7);

// biome-ignore lint/suspicious/noExplicitAny: nodes change messages in ways their types forbid.
type Loose = any;

interface State {
  messages: Loose[];
  files: Record<string, Loose>;
  shared: Loose;
}

/** State as a node sees it: two messages, tiny ones among them, a map, an object in two places. */
function createState(): State {
  const shared = { note: words(300), tags: ["a", "b"], nothing: undefined };
  return {
    messages: [
      new HumanMessage({ content: words(400), id: "1", name: "ann" }),
      new AIMessage({
        content: [{ type: "text", text: words(300) }],
        id: "2",
        tool_calls: [{ name: "f", args: { deep: { list: [1, 2, { x: 0 }] } }, id: "c" }],
        additional_kwargs: { extra: { nested: { flag: true } }, gone: null },
        response_metadata: { model: "m" },
      }),
      new HumanMessage("ok"),
      new HumanMessage({ content: "no id" }),
      new ToolMessage({
        content: words(600),
        tool_call_id: "c",
        artifact: { rows: [[1], [2]], inner: new HumanMessage("in"), odd: { lc: 7 } },
      }),
      shared,
      shared,
      [1, 2, [3, words(300)]],
      words(500),
      7,
      new ToolMessage({ content: words(300), tool_call_id: "d" }),
      { text: words(2000), embedding: Array.from({ length: 1200 }, (_, index) => index / 7) },
    ],
    files: {
      "a.ts": words(900),
      "b.ts": words(900),
      meta: { size: 5, at: new Date(5), big: Array.from({ length: 60 }, () => ({ t: words(90) })) },
      tiny: { n: 1 },
      flat: { a: words(3000), b: words(3000), n: 0, u: undefined },
      long: words(40_000),
      shared,
    },
    shared,
  };
}

const MUTATIONS: [string, (state: State) => void][] = [
  ["a long text", ({ files }) => (files.long += "!")],
  ["a long text under another key", ({ files }) => Object.assign(files, { longer: files.long })],
  ["a long text in a list", ({ messages, files }) => messages.push(files.long)],
  ["nothing", () => undefined],
  ["a message's content", ({ messages }) => (messages[0].content = "changed")],
  ["content to the same text", ({ messages }) => (messages[0].content += "")],
  ["a block inside the content", ({ messages }) => (messages[1].content[0].text += "!")],
  ["a tiny message's content", ({ messages }) => (messages[2].content = "ko")],
  ["tool_calls replaced", ({ messages }) => (messages[1].tool_calls = [])],
  [
    "a tool call's arguments",
    ({ messages }) => (messages[1].tool_calls[0].args.deep.list[2].x = 1),
  ],
  ["a tool call more", ({ messages }) => messages[1].tool_calls.push({ name: "g", args: {} })],
  ["0 to -0", ({ messages }) => (messages[1].tool_calls[0].args.deep.list[2].x = -0)],
  ["null to undefined", ({ messages }) => (messages[1].additional_kwargs.gone = undefined)],
  [
    "nested additional_kwargs",
    ({ messages }) => (messages[1].additional_kwargs.extra.nested.flag = 1),
  ],
  ["a key more", ({ messages }) => (messages[1].additional_kwargs.extra.more = "x")],
  ["a key less", ({ messages }) => delete messages[1].additional_kwargs.extra.nested.flag],
  [
    "keys in another order",
    ({ messages }) => {
      const { extra } = messages[1].additional_kwargs;
      messages[1].additional_kwargs = { gone: null, extra };
    },
  ],
  [
    "a function where LangChain drops it",
    ({ messages }) => (messages[1].additional_kwargs.f = () => 1),
  ],
  [
    "toJSON where LangChain asks it",
    ({ messages }) => (messages[1].additional_kwargs.extra.toJSON = () => ({ nested: 5 })),
  ],
  ["a key lc inside a message", ({ messages }) => (messages[1].additional_kwargs.extra.lc = 1)],
  [
    "a message inside, replaced by what looks like it when serialised",
    ({ messages }) =>
      (messages[4].artifact.inner = JSON.parse(JSON.stringify(messages[4].artifact.inner))),
  ],
  [
    "an object inside, replaced by what looks like it when wrapped",
    ({ messages }) => (messages[4].artifact.odd = { __lc_escaped__: { lc: 7 } }),
  ],
  [
    "undefined, replaced by its record",
    ({ shared }) => (shared.nothing = { lc: 2, type: "undefined" }),
  ],
  ["an artifact's row", ({ messages }) => messages[4].artifact.rows[0].push(9)],
  ["empty additional_kwargs", ({ messages }) => (messages[0].additional_kwargs.more = 1)],
  ["additional_kwargs that become a list", ({ messages }) => (messages[0].additional_kwargs = [])],
  [
    "an empty list of tool calls",
    ({ messages }) => messages[1].invalid_tool_calls.push({ id: "d" }),
  ],
  ["an artifact that was not there", ({ messages }) => (messages[10].artifact = { row: 1 })],
  ["metadata that were not there", ({ messages }) => (messages[10].metadata = { page: 1 })],
  ["usage that was not there", ({ messages }) => (messages[1].usage_metadata = { total: 1 })],
  ["a field of its own", ({ messages }) => (messages[10].lc_kwargs.more = 1)],
  ["a field less", ({ messages }) => delete messages[10].lc_kwargs.tool_call_id],
  [
    "the same fields in another order",
    ({ messages }) => {
      const { content, ...others } = messages[10].lc_kwargs;
      messages[10].lc_kwargs = { ...others, content };
    },
  ],
  ["an artifact's length", ({ messages }) => (messages[4].artifact.rows.length = 1)],
  ["a name that was not there", ({ messages }) => (messages[1].name = "agent")],
  ["a status that was not there", ({ messages }) => (messages[4].status = "error")],
  [
    "a status that was not there, by the constructor's fields",
    ({ messages }) => {
      messages[4].status = "error";
      messages[4].lc_kwargs.status = "error";
    },
  ],
  [
    "an id set in place as the reducer does",
    ({ messages }) => {
      messages[3].id = "new";
      messages[3].lc_kwargs.id = "new";
    },
  ],
  ["an id in lc_kwargs only", ({ messages }) => (messages[3].lc_kwargs.id = "new")],
  ["lc_kwargs replaced", ({ messages }) => (messages[3].lc_kwargs = { content: "" })],
  ["lc_serializable", ({ messages }) => (messages[0].lc_namespace = ["langchain_core", "other"])],
  [
    "a toJSON of its own",
    ({ messages }) => (messages[0].toJSON = () => ({ lc: 1, type: "constructor", id: ["x"] })),
  ],
  ["another class", ({ messages }) => Object.setPrototypeOf(messages[0], AIMessage.prototype)],
  [
    "a plain object becomes an instance",
    ({ shared }) =>
      Object.setPrototypeOf(shared, {
        toJSON() {
          return "instead";
        },
      }),
  ],
  ["an object in two places", ({ shared }) => shared.tags.push("c")],
  ["an object in two places, made a record", ({ shared }) => Object.assign(shared, { lc: 2 })],
  ["an array's length", ({ messages }) => (messages[7].length = 2)],
  ["a hole", ({ messages }) => delete messages[7][1]],
  ["a list inside", ({ messages }) => (messages[7][2][0] = "3")],
  ["an element replaced", ({ messages }) => (messages[8] = words(500))],
  ["a number", ({ messages }) => (messages[9] = "7")],
  ["an element removed", ({ messages }) => messages.shift()],
  ["elements swapped", ({ messages }) => messages.reverse()],
  ["an element doubled", ({ messages }) => messages.push(messages[1], messages[1])],
  ["a file", ({ files }) => (files["a.ts"] = files["b.ts"])],
  ["a file under another name", ({ files }) => (files["c.ts"] = files["a.ts"])],
  [
    "files in another order",
    ({ files }) => {
      const { "a.ts": a, "b.ts": b } = files;
      delete files["a.ts"];
      delete files["b.ts"];
      Object.assign(files, { "b.ts": b, "a.ts": a });
    },
  ],
  ["a date in place", ({ files }) => files.meta.at.setTime(6)],
  ["deep in a container", ({ files }) => (files.meta.big[30].t = "short")],
  ["a container that becomes small", ({ files }) => (files.meta.big.length = 3)],
  ["a small object that becomes a container", ({ files }) => (files.tiny.n = words(9000))],
  ["a number in an embedding", ({ messages }) => (messages.at(-1).embedding[600] = 1)],
  ["0 to -0 in an embedding", ({ messages }) => (messages.at(-1).embedding[0] = -0)],
  ["an embedding's length", ({ messages }) => messages.at(-1).embedding.push(1)],
  ["an object in an embedding", ({ messages }) => (messages.at(-1).embedding[5] = { x: 1 })],
  ["an embedding that becomes short", ({ messages }) => (messages.at(-1).embedding.length = 2)],
  ["a flat map's text", ({ files }) => (files.flat.a = words(3000))],
  ["a flat map's number", ({ files }) => (files.flat.n = -0)],
  ["a flat map's undefined", ({ files }) => delete files.flat.u],
  ["a flat map's null", ({ files }) => (files.flat.u = null)],
  ["a flat map's key", ({ files }) => (files.flat.more = 1)],
  ["a flat map's key lc", ({ files }) => (files.flat.lc = 1)],
  [
    "a flat map's order",
    ({ files }) => {
      const { a, ...rest } = files.flat;
      delete files.flat.a;
      Object.assign(files.flat, { ...rest, a });
    },
  ],
  ["a flat map under another key", ({ files }) => (files.other = files.flat)],
  ["a flat map's toJSON", ({ files }) => (files.flat.toJSON = () => "short")],
  ["a flat map's class", ({ files }) => Object.setPrototypeOf(files.flat, { toJSON: () => 5 })],
  ["a tiny object", ({ files }) => (files.tiny.n = 2)],
];

describe("what was changed in place is stored", () => {
  test.each(MUTATIONS)("%s", async (_, mutate) => {
    for (const remembered of [afterEncoding, afterDecoding]) {
      const { codec, state } = await remembered();
      expect(storedForm(codec, state)).toStrictEqual(freshForm(state));
      mutate(state);
      expect(storedForm(codec, state)).toStrictEqual(freshForm(state));
      expect(storedForm(codec, state.messages)).toStrictEqual(freshForm(state.messages));
      mutate(state);
      expect(storedForm(codec, state)).toStrictEqual(freshForm(state));
    }
  });

  async function afterEncoding(): Promise<{ codec: ValueCodec; state: State }> {
    const codec = createValueCodec();
    const state = createState();
    encodeNow(codec, state);
    encodeNow(codec, state.messages);
    return { codec, state };
  }

  async function afterDecoding(): Promise<{ codec: ValueCodec; state: State }> {
    const rows = new Rows();
    const encoded = encodeNow(createValueCodec(), createState());
    rows.put(encoded);
    const codec = createValueCodec();
    return { codec, state: (await codec.decode(rowOf(encoded), rows.source())) as State };
  }

  test("most of them change what is stored", () => {
    const unchanged = MUTATIONS.filter(([, mutate]) => {
      const state = createState();
      const before = JSON.stringify(freshForm(state));
      mutate(state);
      return JSON.stringify(freshForm(state)) === before;
    }).map(([name]) => name);
    expect(unchanged).toStrictEqual([
      "nothing",
      "content to the same text",
      "a function where LangChain drops it",
      "an id in lc_kwargs only",
    ]);
  });

  test("an object that was too deep to be cut, and no longer is", () => {
    const codec = createValueCodec();
    const levels: unknown[] = [{ list: Array.from({ length: 20 }, () => words(400)) }];
    for (let level = 0; level < 12; level += 1) {
      levels.unshift({ value: levels[0], text: words(300) });
    }
    expect(storedForm(codec, levels[0])).toStrictEqual(freshForm(levels[0]));
    for (const value of levels) {
      expect(storedForm(codec, [value])).toStrictEqual(freshForm([value]));
      expect(storedForm(codec, { value })).toStrictEqual(freshForm({ value }));
    }
    expect(storedForm(codec, levels[0])).toStrictEqual(freshForm(levels[0]));
  });

  test("what was read is put again without being hashed", async () => {
    const tiny = Array.from({ length: 100 }, (_, index) => ({ index, text: words(40) }));
    const files = { "a.ts": words(900), "b.ts": words(900), tiny };
    const rows = new Rows();
    const encoded = encodeNow(createValueCodec(), [...createState().messages.slice(0, 4), files]);
    rows.put(encoded);
    const source = rows.source();
    const codec = createValueCodec();
    const value = await codec.decode(rowOf(encoded), source);
    const leaves = encodeNow(codec, value).tree.filter((chunk) => chunk.body().children === null);
    expect(leaves.length).toBeGreaterThan(8);
    for (const leaf of leaves) expect(leaf.cached()).toBe(source.get(leaf.id));
  });

  test("messages of more shapes than are remembered are told apart, and read back", async () => {
    const codec = createValueCodec();
    const messages = Array.from({ length: 60 }, (_, i) => {
      const own = { [`field${i % 20}`]: i % 3 === 0 ? { n: i } : i, [`${i}`]: "a number's name" };
      return new HumanMessage({ content: words(400), ...own } as never) as Loose;
    });
    for (const change of [
      () => undefined,
      (message: Loose, i: number) => (message.lc_kwargs[`field${i % 20}`] = -i),
      (message: Loose, i: number) => (message[`field${i % 20}`] = "on the message itself"),
      (message: Loose, i: number) => delete message.lc_kwargs[i],
    ]) {
      messages.forEach(change);
      expect(storedForm(codec, messages)).toStrictEqual(freshForm(messages));
      const read = (await roundTrip(messages)) as Loose[];
      expect(freshForm(read)).toStrictEqual(freshForm(messages));
    }
  });

  test("anything, anywhere, in any order", { timeout: 60_000 }, async () => {
    const step = fc.record({
      path: fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
      kind: fc.constantFrom("set", "delete", "push", "truncate", "copy", "decode"),
      value: fc.oneof(anyValue, messageArbitrary),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(anyValue, messageArbitrary), { minLength: 2, maxLength: 8 }),
        fc.array(step, { minLength: 1, maxLength: 8 }),
        async (initial, steps) => {
          const codec = createValueCodec();
          let value: unknown = { initial, text: words(2000) };
          for (const { path, kind, value: given } of steps) {
            if (kind === "decode") value = await decodeAgain(codec, value);
            else mutateAt(value, path, kind, given);
            const fresh = attempt(() => freshForm(value));
            expectSame(
              attempt(() => storedForm(codec, value)),
              fresh,
            );
          }
        },
      ),
      { numRuns: Number(process.env.VALUES_RUNS ?? 250), seed: 11 },
    );
  });
});

/** The result, or the message of the error: both must be the same with and without a memory. */
function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return (error as Error).message;
  }
}

async function decodeAgain(codec: ValueCodec, value: unknown): Promise<unknown> {
  const rows = new Rows();
  const encoded = attempt(() => encodeNow(codec, value));
  if (typeof encoded === "string") return value;
  rows.put(encoded as never);
  return codec.decode(rowOf(encoded as never), rows.source());
}

function mutateAt(root: unknown, path: readonly number[], kind: string, given: unknown): void {
  let target = root as Record<string, unknown>;
  let key = "";
  for (const step of path) {
    const keys = Object.keys(target);
    key = keys[step % (keys.length + 1)] ?? "added";
    const next = target[key];
    if (typeof next !== "object" || next === null || ArrayBuffer.isView(next)) break;
    if (step === path.at(-1)) break;
    target = next as Record<string, unknown>;
  }
  try {
    if (Array.isArray(target) && kind === "push") target.push(given);
    else if (Array.isArray(target) && kind === "truncate") target.length = path.length - 1;
    else if (kind === "delete") delete target[key];
    else if (kind === "copy") target.copied = target[key];
    else target[key] = given;
  } catch {
    // Some properties only have a getter.
  }
}

describe("what was decoded belongs to the reader", () => {
  test("no object is handed out twice, and no change reaches the next reader", async () => {
    const state = createState();
    const encoded = encodeNow(createValueCodec(), state);
    for (const source of [
      new Map(encoded.tree.map((chunk) => [chunk.id, chunk.cached()])),
      new Map(encoded.tree.map((chunk) => [chunk.id, chunk.cached()])),
    ]) {
      const codec = createValueCodec();
      const first = await codec.decode(rowOf(encoded), source);
      expectSame(first, state);
      const second = await codec.decode(rowOf(encoded), source);
      const seen = objectsIn(first);
      for (const object of objectsIn(second)) expect(seen.has(object)).toBe(false);
      for (const object of seen) spoil(object);
      expectSame(second, state);
      expectSame(await codec.decode(rowOf(encoded), source), state);
    }
    expect(storedForm(createValueCodec(), state)).toStrictEqual(freshForm(state));
  });

  test("what was encoded does not change with the value", async () => {
    const state = createState();
    const expected = await roundTrip(state);
    const encoded = encodeNow(createValueCodec(), state);
    for (const object of objectsIn(state)) spoil(object);
    const rows = new Rows();
    rows.put(encoded);
    expectSame(await createValueCodec().decode(rowOf(encoded), rows.source()), expected);
  });

  test("bytes of a row are handed over: nobody else has them, unless they share the memory of small Buffers", () => {
    const codec = createValueCodec();
    const take = (payload: Buffer) =>
      codec.decode(
        { type: "bytes", payload, chunks: null },
        { get: () => undefined },
      ) as Uint8Array;
    const large = Buffer.from("A".repeat(8000), "base64");
    const back = take(large);
    expect(back.buffer).toBe(large.buffer);
    expect(back).toStrictEqual(new Uint8Array(large));
    for (const payload of [Buffer.from("AAAA", "base64"), large.subarray(2)]) {
      const copy = take(payload);
      expect(copy.buffer).not.toBe(payload.buffer);
      expect(copy).toStrictEqual(new Uint8Array(payload));
    }
  });

  test("bytes are copied both ways", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const codec = createValueCodec();
    const encoded = encodeNow(codec, bytes);
    bytes[0] = 9;
    const first = (await codec.decode(encoded, new Map())) as Uint8Array;
    first[1] = 9;
    expect(await codec.decode(encoded, new Map())).toStrictEqual(new Uint8Array([1, 2, 3]));
  });

  function objectsIn(root: unknown, found = new Set<object>()): Set<object> {
    if (typeof root !== "object" || root === null || found.has(root)) return found;
    found.add(root);
    for (const value of Object.values(root)) objectsIn(value, found);
    return found;
  }

  function spoil(object: object): void {
    if (Array.isArray(object)) object.splice(0, object.length, "spoilt");
    else for (const key of Object.keys(object)) (object as Loose)[key] = "spoilt";
  }
});

describe("what is remembered is sent as it would be cut today", () => {
  const flat = () => ({ "report.md": words(40_000), n: 1 });
  /** The object as an entry `files`, so many containers down, each too large for a leaf. */
  const side = words(5000);
  const down = (depth: number, files: unknown): unknown =>
    depth === 0 ? { files } : { inner: down(depth - 1, files), side };

  test("an object that moves to a depth where long texts are whole, and back", () => {
    for (const [from, to] of [
      [0, 7],
      [7, 0],
    ] as const) {
      const codec = createValueCodec();
      const files = flat();
      encodeNow(codec, down(from, files));
      const sent = storedForm(codec, down(to, files));
      expect(sent).toStrictEqual(freshForm(down(to, { ...files })));
    }
  });

  /** A value read from rows that another version cut differently, then put by the codec that read it. */
  function readThenPut(rows: Rows, root: StoredValue): [put: unknown, fresh: unknown] {
    const codec = createValueCodec();
    const value = codec.decode(root, rows.source());
    return [storedForm(codec, value), freshForm(structuredClone(value))];
  }

  test("a map whose long text sits in a leaf", () => {
    const leaf = put(JSON.stringify(flat()), null);
    const files = put('"files":{', [leaf]);
    const [sent, fresh] = readThenPut(rows, { type: "json", payload: "{", chunks: [files] });
    expect(sent).toStrictEqual(fresh);
  });

  test("a long text in other slices", () => {
    const slices = Array.from({ length: 5 }, () => put(JSON.stringify(words(10_000)), null));
    const text = put('"text":"', slices);
    const [sent, fresh] = readThenPut(rows, { type: "json", payload: "{", chunks: [text] });
    expect(sent).toStrictEqual(fresh);
  });

  const rows = new Rows();
  function put(payload: string, children: string[] | null): string {
    const id = chunkId(payload, children);
    rows.chunks.set(id, { id, payload, children });
    return id;
  }
});
