import { type MessagePlan, messagePlan } from "./message-plan.ts";
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

/** Whether the message would be written as the JSON form that the plan was made of. */
export function matchesPlan(value: object, plan: MessagePlan): boolean {
  try {
    const { type, isOwnId } = plan.shape;
    if (!isOwnId || Object.getPrototypeOf(value) !== type.prototype) return false;
    return isOrdinary(value as LiveMessage, type) && matchesFields(value as LiveMessage, plan);
  } catch {
    return false;
  }
}

function matchesFields(message: LiveMessage, { shape, values }: MessagePlan): boolean {
  const { type, fields } = shape;
  const kwargs = message.lc_kwargs;
  let index = 0;
  for (const field in kwargs) {
    let value = message[field];
    if (value === undefined && !(field in message)) value = kwargs[field];
    if (value === undefined || typeof value === "function") continue;
    if (fields[index] !== field || !matchesPart(value, values[index] as Wire, true)) return false;
    index += 1;
  }
  const given = index;
  for (const field of type.properties) {
    const value = message[field];
    if (value === undefined || typeof value === "function") continue;
    if (fields.lastIndexOf(field, given - 1) !== -1) continue;
    if (fields[index] !== field || !matchesPart(value, values[index] as Wire, true)) return false;
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
  return plan ? matchesPlan(value, plan) : matchesRecord(value, wire, inKwargs);
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
