import {
  EMPTY_LIST,
  EMPTY_OBJECT,
  type Given,
  type MessageShape,
  messagePlan,
} from "./message-plan.ts";
import { isOrdinary, type LiveMessage, messageClassOf } from "./messages.ts";
import { convertPart } from "./to-wire.ts";
import { isPlain, type Wire, type WireObject } from "./wire.ts";

/**
 * Whether the value, as it is now, would be written as exactly this wire form, in this order of
 * keys. It is what makes it safe to remember objects: anyone may have changed them in place.
 */
export function matches(value: unknown, wire: Wire): boolean {
  try {
    return matchesPart(value, wire, false);
  } catch {
    // A getter or toJSON threw. Writing the value will say where.
    return false;
  }
}

/** Whether it is a message that would be written as the JSON form that its plan was made of. */
export function matchesMessage(value: unknown, shape: MessageShape, given: Given): boolean {
  try {
    const { type, isOwn, isCommon } = shape;
    if (!isOwn || Object.getPrototypeOf(value) !== type.prototype) return false;
    const message = value as LiveMessage;
    if (!isOrdinary(message, type)) return false;
    return (
      (isCommon && matchesCommon(message, shape, given)) || matchesFields(message, shape, given)
    );
  } catch {
    return false;
  }
}

/**
 * Whether the message has the fields that it was made of and no other of the common ones. By name, because that is
 * several times faster; `false` promises nothing.
 */
function matchesCommon(message: LiveMessage, { fields }: MessageShape, given: Given): boolean {
  let count = 0;
  for (const field in message.lc_kwargs) {
    if (fields[count] !== field) return false;
    count += 1;
  }
  return (
    count === fields.length &&
    isField(message.content, given.content) &&
    isField(message.id, given.id) &&
    isField(message.name, given.name) &&
    isField(message.additional_kwargs, given.additional_kwargs) &&
    isField(message.response_metadata, given.response_metadata) &&
    isField(message.tool_calls, given.tool_calls) &&
    isField(message.invalid_tool_calls, given.invalid_tool_calls) &&
    isField(message.usage_metadata, given.usage_metadata) &&
    isField(message.tool_call_id, given.tool_call_id) &&
    isField(message.status, given.status) &&
    isField(message.artifact, given.artifact) &&
    isField(message.metadata, given.metadata)
  );
}

/** What most fields hold is told here, on the short way; all else by {@link matchesPart}. */
function isField(value: unknown, wire: Wire | undefined): boolean {
  if (value === wire) return value !== 0 || !Object.is(value, -0);
  if (wire === EMPTY_LIST) return Array.isArray(value) && value.length === 0;
  if (wire === EMPTY_OBJECT) return isEmptyObject(value);
  return wire !== undefined && matchesPart(value, wire, true);
}

function isEmptyObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !isPlain(value)) return false;
  for (const _ in value) return false;
  return true;
}

function matchesFields(message: LiveMessage, shape: MessageShape, given: Given): boolean {
  const { type, fields } = shape;
  const kwargs = message.lc_kwargs;
  let index = 0;
  for (const field in kwargs) {
    let value = message[field];
    if (value === undefined && !(field in message)) value = kwargs[field];
    if (value === undefined || typeof value === "function") continue;
    if (fields[index] !== field || !matchesPart(value, given[field] as Wire, true)) return false;
    index += 1;
  }
  const written = index;
  for (const field of type.properties) {
    const value = message[field];
    if (value === undefined || typeof value === "function") continue;
    if (fields.lastIndexOf(field, written - 1) !== -1) continue;
    if (fields[index] !== field || !matchesPart(value, given[field] as Wire, true)) return false;
    index += 1;
  }
  return index === fields.length;
}

/** Stands between a value and its wire form; `inKwargs` as in `Position` of to-wire.ts. */
function matchesPart(value: unknown, wire: Wire, inKwargs: boolean): boolean {
  if (typeof wire !== "object" || wire === null) {
    return value === wire && (value !== 0 || !Object.is(value, -0));
  }
  if (typeof value !== "object" || value === null) return matchesRecord(value, wire, inKwargs);
  if (Array.isArray(value)) return Array.isArray(wire) && matchesList(value, wire, inKwargs);
  if (Array.isArray(wire)) return false;
  if (isPlain(value)) return matchesPlain(value as Record<string, unknown>, wire, inKwargs);
  const plan = messageClassOf(Object.getPrototypeOf(value)) && messagePlan(wire);
  return plan
    ? matchesMessage(value, plan.shape, plan.given)
    : matchesRecord(value, wire, inKwargs);
}

function matchesList(list: readonly unknown[], wire: readonly Wire[], inKwargs: boolean): boolean {
  if (list.length !== wire.length) return false;
  for (let index = 0; index < list.length; index += 1) {
    if (!matchesPart(list[index], wire[index] as Wire, inKwargs)) return false;
  }
  return true;
}

function matchesPlain(
  object: Record<string, unknown>,
  wire: WireObject,
  inKwargs: boolean,
): boolean {
  // A record stands for something else, and so do the wrapped objects inside a message.
  if (wire.lc === 2) return matchesRecord(object, wire, inKwargs);
  if (inKwargs && ("lc" in wire || "__lc_escaped__" in wire)) return false;
  const keys = Object.keys(wire);
  let index = 0;
  for (const key in object) {
    const value = object[key];
    if (inKwargs && (value === undefined || typeof value === "function")) {
      if (key === "toJSON") return false;
      continue;
    }
    if (keys[index] !== key || !matchesPart(value, wire[key] as Wire, inKwargs)) return false;
    index += 1;
  }
  return index === keys.length;
}

/** Whatever is not its own JSON form is written anew and compared. */
function matchesRecord(value: unknown, wire: Wire, inKwargs: boolean): boolean {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return false;
  return isSame(convertPart(value, inKwargs ? "kwargs" : "state"), wire);
}

function isSame(left: Wire, right: Wire): boolean {
  if (typeof left !== "object" || left === null) return left === right;
  if (typeof right !== "object" || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  const others = Object.keys(right);
  if (keys.length !== others.length) return false;
  return keys.every(
    (key, index) =>
      key === others[index] &&
      isSame((left as WireObject)[key] as Wire, (right as WireObject)[key] as Wire),
  );
}
