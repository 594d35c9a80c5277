/** A record's state as channel values, and back. */
import { CorruptCheckpointError } from "../errors.ts";
import { encodeName, MAX_BYTES } from "../storage/names.ts";
import type { StoredCheckpoint } from "../storage/reader.ts";

/** Whether each key of the state is a channel, or the whole state is one. */
export type StateShape = "keys" | "whole";

export interface SplitState {
  readonly shape: StateShape;
  readonly values: readonly { readonly channel: string; readonly value: unknown }[];
}

/** The one channel of a state that is not split. */
const WHOLE = "state";
/** A map of more keys than this is one value: its tree shares what did not change just as well, in fewer rows. */
const MAX_KEYS = 256;

/** The state's keys as channels, where it is a plain object of not too many and not too long keys. */
export function splitState(state: unknown): SplitState {
  if (isPlainObject(state)) {
    const keys = Object.keys(state);
    if (keys.length <= MAX_KEYS && keys.every(fits)) {
      const values = keys.map((key) => ({ channel: key, value: state[key] }));
      return { shape: "keys", values };
    }
  }
  return { shape: "whole", values: [{ channel: WHOLE, value: state }] };
}

/** The state that {@link splitState} took apart, its keys in their order. */
export function joinState(shape: StateShape, stored: StoredCheckpoint): unknown {
  const { values, channelVersions } = stored;
  for (const channel of Object.keys(channelVersions)) {
    if (values.has(channel)) continue;
    throw new CorruptCheckpointError(
      `Thread ${JSON.stringify(stored.threadId)}, checkpoint ${stored.checkpointId}, channel ${JSON.stringify(channel)}: the stored value is missing.`,
    );
  }
  if (shape === "whole") return values.get(WHOLE);
  // fromEntries defines own properties, so that a key __proto__ stays one.
  return Object.fromEntries(
    Object.keys(channelVersions).map((channel) => [channel, values.get(channel)]),
  );
}

function isPlainObject(state: unknown): state is Record<string, unknown> {
  if (typeof state !== "object" || state === null) return false;
  const prototype: unknown = Object.getPrototypeOf(state);
  if (prototype !== Object.prototype && prototype !== null) return false;
  // What says itself how it is written, or cannot be told by its keys, is written as one value.
  return (
    typeof (state as { toJSON?: unknown }).toJSON !== "function" &&
    Object.getOwnPropertySymbols(state).length === 0
  );
}

function fits(key: string): boolean {
  return Buffer.byteLength(encodeName(key)) <= MAX_BYTES.channel;
}
