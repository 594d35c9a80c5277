/**
 * Values put together ahead: while the server is asked for the latest checkpoint, this process has nothing to do, and
 * knows what it last saw there. If the answer names the same chunks, they are ready.
 */
// The tests of a user may replace the global ones.
import { clearImmediate, setImmediate } from "node:timers";
import { dropOldest } from "../drop-oldest.ts";
import type { StoredValue, ValueCodec } from "../values/codec.ts";
import type { KnowledgeStore } from "./thread-knowledge.ts";

export interface Ahead {
  /**
   * Takes note of what is probably the latest checkpoint of the namespace: the values that are new in it, and all
   * channels that have one.
   */
  put(
    threadId: string,
    namespace: string,
    values: readonly NamedValue[],
    all: readonly { readonly channel: string }[],
  ): void;
  /** Puts together what the latest checkpoint probably holds, once what is to be sent has left. */
  begin(threadId: string, namespace: string): Guess;
}

export interface NamedValue {
  readonly channel: string;
  readonly value: StoredValue;
}

/** For one reader: what it takes is nobody else's. */
export interface Guess {
  /** The answer is there, and these are its values: others that were guessed are not given. */
  check(values: readonly NamedValue[]): void;
  /** The value put together, if it was guessed. */
  take(channel: string): { readonly value: unknown } | undefined;
  /** Whether or not there was an answer. */
  end(): void;
}

/** What is known of the latest checkpoint of one namespace. */
interface Latest {
  /** By channel; only those that are trees, because others take no time. */
  readonly trees: Map<string, StoredValue>;
  /** Whether the last guess was right: where other processes write, work would be done in vain. */
  isTrusted: boolean;
}

/** Namespaces remembered. Each holds the ids of a few chunks. */
const MAX_LATEST = 1000;

export function createAhead(codec: ValueCodec, knowledge: KnowledgeStore): Ahead {
  const all = new Map<string, Latest>();

  const latestOf = (threadId: string, namespace: string): Latest => {
    // A thread id holds no NUL.
    const key = `${threadId}\0${namespace}`;
    const latest = all.get(key) ?? { trees: new Map(), isTrusted: true };
    all.delete(key);
    all.set(key, latest);
    dropOldest(all, MAX_LATEST);
    return latest;
  };

  const putTogether = (threadId: string, value: StoredValue): unknown => {
    const source = knowledge.get(threadId)?.hold();
    if (source === undefined || codec.missing(value, source).length > 0) return undefined;
    try {
      return codec.decode(value, source);
    } catch {
      // Whoever reads it says what is wrong.
      return undefined;
    }
  };

  return {
    put(threadId, namespace, values, all) {
      const { trees } = latestOf(threadId, namespace);
      for (const { channel, value } of values) note(trees, channel, value);
      forgetOthers(trees, all);
    },

    begin(threadId, namespace) {
      const latest = latestOf(threadId, namespace);
      const ready = new Map<string, { readonly tree: StoredValue; readonly value: unknown }>();
      const work = (): void => {
        for (const [channel, tree] of latest.trees) {
          const value = putTogether(threadId, tree);
          if (value instanceof Promise) value.catch(() => {});
          else if (value !== undefined) ready.set(channel, { tree, value });
        }
      };
      const guessing = latest.isTrusted ? setImmediate(work) : undefined;
      return {
        check(values) {
          // What it would find from now on may be another reader's.
          clearImmediate(guessing);
          const { trees } = latest;
          latest.isTrusted = values.every(({ channel, value }) => {
            const known = trees.get(channel);
            return value.chunks === null || known === undefined || isSame(known, value);
          });
          for (const { channel, value } of values) {
            const guess = ready.get(channel);
            if (guess !== undefined && !isSame(guess.tree, value)) ready.delete(channel);
            note(trees, channel, value);
          }
          forgetOthers(trees, values);
        },
        take: (channel) => ready.get(channel),
        end: () => clearImmediate(guessing),
      };
    },
  };
}

function note(trees: Map<string, StoredValue>, channel: string, value: StoredValue): void {
  const { type, payload, chunks } = value;
  if (chunks === null) trees.delete(channel);
  else trees.set(channel, { type, payload: textOf(payload), chunks });
}

function forgetOthers(
  trees: Map<string, StoredValue>,
  all: readonly { readonly channel: string }[],
): void {
  for (const known of trees.keys()) {
    if (!all.some(({ channel }) => channel === known)) trees.delete(known);
  }
}

function isSame(left: StoredValue, right: StoredValue): boolean {
  const { chunks } = left;
  return (
    left.type === right.type &&
    textOf(left.payload) === textOf(right.payload) &&
    chunks?.length === right.chunks?.length &&
    chunks?.every((id, i) => id === right.chunks?.[i]) === true
  );
}

/** The header of a tree; of a sealed one it comes as bytes. */
function textOf(payload: StoredValue["payload"]): string | null {
  return payload instanceof Uint8Array ? Buffer.from(payload).toString("utf8") : payload;
}
