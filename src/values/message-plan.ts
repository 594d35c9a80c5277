import { type MessageClass, messageClassById } from "./messages.ts";
import type { Wire, WireObject } from "./wire.ts";

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
  /** The fields by name, to be copied and filled in. */
  readonly template: Readonly<WireObject>;
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
  const values = new Map<string, Wire>();
  for (const key of Object.keys(kwargs)) {
    values.set(type.fieldOf(key), canonical(kwargs[key] as Wire));
  }
  const isOwn = isSameId(id, type.id) && values.size === Object.keys(kwargs).length;
  const shape = shapeOf(type, isOwn, values);
  const given: WireObject = { ...shape.template };
  // Own already, so that even `__proto__` is an ordinary field.
  for (const [field, value] of values) given[field] = value;
  return { shape, given };
}

function shapeOf(
  type: MessageClass,
  isOwn: boolean,
  values: ReadonlyMap<string, Wire>,
): MessageShape {
  const fields = [...values.keys()];
  const deep = fields.filter((field) => isAnyObject(values.get(field)));
  const key = JSON.stringify([type.name, isOwn, fields, deep]);
  let shape = shapes.get(key);
  if (shape === undefined) {
    const isCommon = [...fields, ...type.properties].every((field) => common.has(field));
    // Objects that are parsed have room for their fields and no more, and so have copies of them.
    const text = `{${fields.map((field) => `${JSON.stringify(field)}:null`).join(",")}}`;
    const template = JSON.parse(text) as WireObject;
    shape = { type, isOwn, fields: Object.keys(template), deep, isCommon, template };
    if (shapes.size < MOST_SHAPES) shapes.set(key, shape);
  }
  return shape;
}

function isAnyObject(wire: Wire | undefined): boolean {
  return typeof wire === "object" && wire !== null;
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
