import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { CorruptCheckpointError } from "../errors.ts";
import { loadLangChainObject } from "./langchain-load.ts";
import {
  EMPTY_LIST,
  EMPTY_OBJECT,
  type Given,
  type MessageShape,
  messagePlan,
} from "./message-plan.ts";
import { type Reviver, reviverOf } from "./revivers.ts";
import { setEntry, type Wire, type WireObject } from "./wire.ts";

/**
 * Where a wire value stands.
 *
 * - `state`: anywhere in a channel's value.
 * - `kwargs`: inside a message or another LangChain object: `undefined` entries are dropped and
 *   `__lc_escaped__` is unwrapped, as `load` does.
 * - `inert`: inside `__lc_escaped__`: what looks like a LangChain object is the user's data.
 */
type Position = "state" | "kwargs" | "inert";

/**
 * Collects the LangChain objects that only `load`, which is asynchronous, can build. The first pass
 * asks, the second finds the answers in the same order.
 */
export interface Loads {
  readonly wanted: (() => Promise<unknown>)[];
  readonly loaded: readonly unknown[] | null;
  next: number;
}

/** A fresh value from its wire form, sharing no object with it. */
export function revive(wire: Wire, loads: Loads): unknown {
  return build(wire, "state", loads);
}

/** The same for a message whose plan is known; `source` has its JSON form. */
export function reviveMessage(
  shape: MessageShape,
  given: Given,
  source: { readonly wire: Wire },
  loads: Loads,
  position: Position = "state",
): object {
  const fields: Record<string, unknown> = { ...given };
  for (const field of shape.deep) {
    const value = build(given[field] as Wire, "kwargs", loads);
    // Own already, so that even `__proto__` is an ordinary field.
    fields[field] = value;
    if (value === undefined) delete fields[field];
  }
  try {
    return shape.type.create(fields);
  } catch {
    // The class's own constructor refuses these fields, so no such message was ever put.
    return copyObject(source.wire as WireObject, position, loads);
  }
}

/**
 * Runs `read` once, and if it met objects that only `load` can build, loads them and runs it again.
 *
 * @throws CorruptCheckpointError if the wire form is nested deeper than the stack allows, which
 *   nothing that was written here is.
 */
export function withLoads<T>(read: (loads: Loads) => T): T | Promise<T> {
  const wanted: Loads["wanted"] = [];
  const result = readDeep(read, { wanted, loaded: null, next: 0 });
  if (wanted.length === 0) return result;
  return Promise.all(wanted.map((load) => load())).then((loaded) =>
    readDeep(read, { wanted: [], loaded, next: 0 }),
  );
}

function readDeep<T>(read: (loads: Loads) => T, loads: Loads): T {
  try {
    return read(loads);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptCheckpointError("a stored value is nested too deeply to be read", {
      cause: error,
    });
  }
}

async function load(wire: WireObject, position: Position): Promise<unknown> {
  const loaded = await loadLangChainObject(wire);
  if (loaded !== undefined) return loaded;
  // What LangChain does not know, or refuses to build, stays what it is: data.
  return await withLoads((loads) => copyObject(wire, position, loads));
}

function build(wire: Wire, position: Position, loads: Loads): unknown {
  if (typeof wire !== "object" || wire === null) return wire;
  if (wire === EMPTY_LIST) return [];
  if (wire === EMPTY_OBJECT) return {};
  if (Array.isArray(wire)) {
    const list: unknown[] = new Array(wire.length);
    for (let index = 0; index < wire.length; index += 1) {
      list[index] = build(wire[index] as Wire, position, loads);
    }
    return list;
  }
  if (wire.lc === 1) return buildSerialized(wire, position, loads);
  if (wire.lc === 2) return buildRecord(wire, position, loads);
  if (position === "kwargs" && "__lc_escaped__" in wire) {
    const escaped = escapedContent(wire);
    if (escaped !== undefined) return copyAny(escaped, loads);
  }
  return copyObject(wire, position, loads);
}

function copyObject(wire: WireObject, position: Position, loads: Loads): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(wire)) {
    const value = build(wire[key] as Wire, position, loads);
    if (value === undefined && position === "kwargs") continue;
    setEntry(copy, key, value);
  }
  return copy;
}

function escapedContent(wire: WireObject): Wire | undefined {
  return Object.hasOwn(wire, "__lc_escaped__") && Object.keys(wire).length === 1
    ? wire.__lc_escaped__
    : undefined;
}

function copyAny(escaped: Wire, loads: Loads): unknown {
  return typeof escaped === "object" && escaped !== null && !Array.isArray(escaped)
    ? copyEscaped(escaped, loads)
    : build(escaped, "inert", loads);
}

/** An escaped object's `lc: 2` is data as well, unless it is the record that escapes it once more. */
function copyEscaped(wire: WireObject, loads: Loads): unknown {
  return wire.lc === 2 ? buildRecord(wire, "inert", loads) : copyObject(wire, "inert", loads);
}

function buildSerialized(wire: WireObject, position: Position, loads: Loads): unknown {
  const { id } = wire;
  if (
    position === "inert" ||
    wire.type !== "constructor" ||
    !Array.isArray(id) ||
    !Object.hasOwn(wire, "kwargs")
  ) {
    return copyObject(wire, position, loads);
  }
  const plan = messagePlan(wire);
  if (plan !== null) return reviveMessage(plan.shape, plan.given, { wire }, loads, position);
  if (id[0] !== "langchain_core") return copyObject(wire, position, loads);
  if (loads.loaded !== null) return loads.loaded[loads.next++];
  loads.wanted.push(() => load(wire, position));
  return undefined;
}

function buildRecord(wire: WireObject, position: Position, loads: Loads): unknown {
  if (wire.type === "undefined") return undefined;
  if (wire.type === "delta_snapshot" && Object.hasOwn(wire, "value")) {
    return new DeltaSnapshot(build(wire.value as Wire, position, loads));
  }
  const reviver: Reviver | undefined = wire.type === "constructor" ? reviverOf(wire) : undefined;
  if (reviver === undefined) return copyObject(wire, position, loads);
  return reviver(wire.args as Wire[], (part) => build(part, position, loads), wire);
}
