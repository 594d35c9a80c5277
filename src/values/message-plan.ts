import { type MessageClass, messageClassById } from "./messages.ts";
import { setEntry, type Wire, type WireObject } from "./wire.ts";

/**
 * What the JSON form of a message says, worked out once: it is revived on every read, and compared
 * with the live message on every put. A long chat is more than a processor's cache holds, so what
 * messages have in common is shared, and what is left lies in one place.
 */
export interface MessagePlan {
  readonly shape: MessageShape;
  /** The fields of the constructor, in the order of the JSON form, as JSON forms. */
  readonly given: Readonly<WireObject>;
}

/** What messages of one class with the same fields have in common. */
export interface MessageShape {
  readonly type: MessageClass;
  /** Whether the class writes itself under this id, and each field once. */
  readonly isOwn: boolean;
  readonly fields: readonly string[];
  /** Those of the fields that hold objects, of which every message gets its own. */
  readonly deep: readonly string[];
  /** Whether all fields, and all that the class would add to them, are common ones, which are compared by name. */
  readonly isCommon: boolean;
}

/** Fields that most messages consist of. */
const COMMON_FIELDS = [
  "content",
  "id",
  "name",
  "additional_kwargs",
  "response_metadata",
  "tool_calls",
  "invalid_tool_calls",
  "usage_metadata",
  "tool_call_id",
  "status",
  "artifact",
  "metadata",
] as const;
const common: ReadonlySet<string> = new Set(COMMON_FIELDS);

// Most messages have no tool calls and say nothing more about themselves.
export const EMPTY_LIST: Wire[] = [];
export const EMPTY_OBJECT: WireObject = {};

/** Names of fields are data: without a bound, hostile ones would fill the memory for good. */
const MOST_SHAPES = 1000;
const shapes = new Map<string, MessageShape>();

/** The plan, or null for what is not the JSON form of a message. */
export function messagePlan(wire: Wire): MessagePlan | null {
  if (!isObject(wire) || wire.lc !== 1 || wire.type !== "constructor") return null;
  const { id, kwargs } = wire;
  if (!Array.isArray(id) || !isObject(kwargs) || !Object.hasOwn(wire, "kwargs")) return null;
  const type = messageClassById(id);
  if (type === undefined) return null;
  const given: WireObject = {};
  for (const key of Object.keys(kwargs)) {
    setEntry(given, type.fieldOf(key), canonical(kwargs[key] as Wire));
  }
  const isOwn = isSameId(id, type.id) && Object.keys(given).length === Object.keys(kwargs).length;
  return { shape: shapeOf(type, isOwn, given), given };
}

function shapeOf(type: MessageClass, isOwn: boolean, given: WireObject): MessageShape {
  const fields = Object.keys(given);
  const deep = fields.filter((field) => typeof given[field] === "object" && given[field] !== null);
  const key = JSON.stringify([type.name, isOwn, fields, deep]);
  let shape = shapes.get(key);
  if (shape === undefined) {
    const isCommon = [...fields, ...type.properties].every((field) => common.has(field));
    shape = { type, isOwn, fields, deep, isCommon };
    if (shapes.size < MOST_SHAPES) shapes.set(key, shape);
  }
  return shape;
}

function canonical(value: Wire): Wire {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.length === 0 ? EMPTY_LIST : value;
  return Object.keys(value).length === 0 ? EMPTY_OBJECT : value;
}

function isObject(wire: Wire | undefined): wire is WireObject {
  return typeof wire === "object" && wire !== null && !Array.isArray(wire);
}

function isSameId(id: readonly Wire[], own: readonly string[]): boolean {
  return id.length === own.length && id.every((part, index) => part === own[index]);
}
