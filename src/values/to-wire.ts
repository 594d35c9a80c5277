import { instanceToWire } from "./instances.ts";
import { isOrdinary, type LiveMessage, type MessageClass, messageClassOf } from "./messages.ts";
import { MAX_DEPTH } from "./parameters.ts";
import { isRecord, ownRecord, UNDEFINED } from "./records.ts";
import { isSend, sendFields } from "./send.ts";
import { locate, Unserialisable } from "./unserialisable.ts";
import { isPlain, setEntry, type Wire, type WireObject } from "./wire.ts";

/**
 * Where a value stands, which decides what is done with `undefined` and with objects that look like
 * serialised ones.
 *
 * - `state`: anywhere in a channel's value. Everything is kept; `lc: 2` look-alikes are escaped.
 * - `kwargs`: inside a message. LangChain drops `undefined` and functions there and wraps what has
 *   a key `lc` in `__lc_escaped__`.
 * - `escapedKwargs`: the same after some other class's `toJSON` has done the wrapping.
 */
export type Position = "state" | "kwargs" | "escapedKwargs";

// Ancestors are only watched from this depth on: what most values never reach costs them nothing,
// and a circle is still found after going round it a few times.
const WATCHED_DEPTH = 32;
const ancestors = new Set<object>();

/**
 * The JSON form of a value, sharing no object with it.
 *
 * @throws Unserialisable, with the path to what cannot be written.
 */
export function toWire(value: unknown): Wire {
  return convertPart(value, "state");
}

/** The same for a part of a value, which stands at this depth of it. */
export function convertPart(value: unknown, position: Position, depth = 0): Wire {
  try {
    return convert(value, position, depth);
  } finally {
    if (ancestors.size > 0) ancestors.clear();
  }
}

function convert(value: unknown, position: Position, depth: number): Wire {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : ownRecord("Number", Object.is(value, -0) ? "-0" : String(value));
    case "object":
      return value === null ? null : convertObject(value, position, depth);
    case "undefined":
      return UNDEFINED;
    case "bigint":
      return ownRecord("BigInt", String(value));
    default:
      throw new Unserialisable(`a ${typeof value}`);
  }
}

function convertObject(value: object, position: Position, depth: number): Wire {
  if (depth < WATCHED_DEPTH) return convertByKind(value, position, depth);
  if (ancestors.has(value)) throw new Unserialisable("a circular reference");
  if (depth > MAX_DEPTH) throw new Unserialisable(`more than ${MAX_DEPTH} levels of nesting`);
  ancestors.add(value);
  const wire = convertByKind(value, position, depth);
  ancestors.delete(value);
  return wire;
}

function convertByKind(value: object, position: Position, depth: number): Wire {
  if (Array.isArray(value)) return arrayToWire(value, position, depth);
  if (isPlain(value) && typeof (value as { toJSON?: unknown }).toJSON !== "function") {
    return plainToWire(value as Record<string, unknown>, position, depth);
  }
  const message = messageClassOf(Object.getPrototypeOf(value));
  if (message !== undefined && isOrdinary(value as LiveMessage, message)) {
    return messageToWire(value as LiveMessage, message, depth);
  }
  return instanceToWire(value, (part, serialised) =>
    convert(part, serialised ? "escapedKwargs" : position, depth + 1),
  );
}

function arrayToWire(value: readonly unknown[], position: Position, depth: number): Wire[] {
  const wire: Wire[] = new Array(value.length);
  let index = 0;
  try {
    for (; index < value.length; index += 1) {
      wire[index] = convert(value[index], position, depth + 1);
    }
  } catch (error) {
    throw locate(error, index);
  }
  return wire;
}

function plainToWire(
  value: Record<string, unknown>,
  position: Position,
  depth: number,
): WireObject {
  if (value.lg_name === "Send" && isSend(value)) {
    return objectToWire({ ...sendFields(value) }, position, depth);
  }
  if (position === "kwargs" && needsWrapping(value)) {
    return { __lc_escaped__: objectToWire(value, "state", depth) };
  }
  return objectToWire(value, position, depth);
}

function objectToWire(
  value: Record<string, unknown>,
  position: Position,
  depth: number,
): WireObject {
  const wire: WireObject = {};
  const dropsUndefined = position !== "state";
  let key = "";
  try {
    for (key of Object.keys(value)) {
      const entry = value[key];
      if (dropsUndefined && (entry === undefined || typeof entry === "function")) continue;
      setEntry(wire, key, convert(entry, position, depth + 1));
    }
  } catch (error) {
    throw locate(error, key);
  }
  return position === "state" && isRecord(wire) ? ownRecord("Object", Object.entries(wire)) : wire;
}

function needsWrapping(value: Record<string, unknown>): boolean {
  return "lc" in value || ("__lc_escaped__" in value && Object.keys(value).length === 1);
}

/** `Serializable.toJSON` for the message classes, which have neither secrets nor attributes. */
function messageToWire(message: LiveMessage, type: MessageClass, depth: number): Wire {
  const given = message.lc_kwargs;
  const kwargs: WireObject = {};
  let field = "";
  try {
    for (field of Object.keys(given)) {
      const value = field in message ? message[field] : given[field];
      if (value === undefined || typeof value === "function") continue;
      setEntry(kwargs, type.jsonKey(field), convert(value, "kwargs", depth + 2));
    }
    for (field of type.properties) {
      const value = message[field];
      if (value === undefined || typeof value === "function" || Object.hasOwn(given, field))
        continue;
      kwargs[type.jsonKey(field)] = convert(value, "kwargs", depth + 2);
    }
  } catch (error) {
    throw locate(error, field);
  }
  return { lc: 1, type: "constructor", id: [...type.id], kwargs };
}
