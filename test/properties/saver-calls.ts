/** Random calls of a saver, as data. */
import { WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import fc, { type Arbitrary } from "fast-check";
import { comparable, sharedValue } from "../values/support/arbitraries.ts";

export const THREADS = 2;
const NAMESPACES = ["", "child:1"];
const CHANNELS = ["messages", "n", "größe|x"];
/** Not for pending writes: `MemorySaver` would find a method of `Object` where it looks for special channels. */
const INHERITED = ["constructor", "toString"];
const SPECIAL = Object.keys(WRITES_IDX_MAP);

/** A number that picks from a list that is known only when its turn comes. */
const pick = fc.nat({ max: 999 });
const place = { thread: fc.nat({ max: THREADS - 1 }), namespace: fc.constantFrom(...NAMESPACES) };
/**
 * No channel has `undefined` for its value: that is a channel without one. `MemorySaver` cannot read a pending write
 * that is bare bytes.
 */
const short = sharedValue.filter(
  (one) => one !== undefined && !(one instanceof Uint8Array) && comparable(one),
);
/** Cut into slices, most of which all of them share. */
const longText = fc
  .tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 }))
  .map(([before, after]) => `${before} ${"a long text of words. ".repeat(1500)}${after}`);
const value = fc.oneof(
  { weight: 9, arbitrary: short },
  { weight: 1, arbitrary: longText },
  { weight: 1, arbitrary: longText.map((text) => ({ name: "report.md", text })) },
);

export interface Calls {
  put: { thread: number; namespace: string; parent: number; values: [string, unknown][] };
  again: { nth: number };
  putWrites: { nth: number; task: string; path: string; writes: [string, unknown][] };
  get: { thread: number; namespace: string };
  getById: { nth: number };
  list: {
    thread: number;
    namespace: string;
    limit: number | undefined;
    step: number | undefined;
    before: number | undefined;
  };
  listThread: { thread: number; source: string | undefined };
  listAll: Record<string, never>;
  deleteThread: { thread: number };
}
export type Call = { [K in keyof Calls]: { call: K } & Calls[K] }[keyof Calls];

const call = <K extends keyof Calls>(
  name: K,
  fields: { [F in keyof Calls[K]]: Arbitrary<Calls[K][F]> },
): Arbitrary<Call> =>
  fc.record({ call: fc.constant(name), ...fields }) as unknown as Arbitrary<Call>;

export const anyCall: Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: call("put", {
      ...place,
      parent: pick,
      values: fc.array(fc.tuple(fc.constantFrom(...CHANNELS, ...INHERITED), value), {
        maxLength: 4,
      }),
    }),
  },
  { weight: 1, arbitrary: call("again", { nth: pick }) },
  {
    weight: 5,
    arbitrary: call("putWrites", {
      nth: pick,
      task: fc.constantFrom("a", "B", "ä", "a,1"),
      path: fc.constantFrom("", "~__pregel_pull, x", "~__pregel_push, 2", "Z"),
      writes: fc.array(fc.tuple(fc.constantFrom(...CHANNELS, ...SPECIAL), value), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  },
  { weight: 2, arbitrary: call("get", place) },
  { weight: 2, arbitrary: call("getById", { nth: pick }) },
  {
    weight: 3,
    arbitrary: call("list", {
      ...place,
      limit: fc.option(fc.nat({ max: 4 }), { nil: undefined }),
      step: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
      before: fc.option(pick, { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: call("listThread", {
      thread: place.thread,
      source: fc.option(fc.constantFrom("loop", "fork", "%"), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: call("listAll", {}) },
  { weight: 1, arbitrary: call("deleteThread", { thread: place.thread }) },
);
