import { type MessageClass, messageClassById } from "./messages.ts";
import type { Wire, WireObject } from "./wire.ts";

/**
 * What the JSON form of a message says, worked out once: it is revived on every read, and compared
 * with the live message on every put. A long chat is more than a processor's cache holds, so what
 * messages have in common is shared, and what is left lies in one place.
 */
export interface MessagePlan {
  readonly shape: MessageShape;
  /** The JSON forms of the shape's fields, in their order. */
  readonly values: readonly Wire[];
}

/** What messages of one class with the same fields have in common. */
export interface MessageShape {
  readonly type: MessageClass;
  /** Whether the class writes itself under this id. */
  readonly isOwnId: boolean;
  /** The fields of the constructor, in the order of the JSON form. */
  readonly fields: readonly string[];
  /** The fields by name, to be copied and filled in. */
  readonly template: Readonly<Record<string, unknown>>;
}

// Most messages have no tool calls and say nothing more about themselves.
const EMPTY_LIST: Wire[] = [];
const EMPTY_OBJECT: WireObject = {};

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
  const fields: string[] = [];
  const values: Wire[] = [];
  for (const key of Object.keys(kwargs)) {
    fields.push(type.fieldOf(key));
    values.push(canonical(kwargs[key] as Wire));
  }
  return { shape: shapeOf(type, isSameId(id, type.id), fields), values };
}

function shapeOf(type: MessageClass, isOwnId: boolean, fields: string[]): MessageShape {
  const key = JSON.stringify([type.name, isOwnId, fields]);
  let shape = shapes.get(key);
  if (shape === undefined) {
    const template = Object.fromEntries(fields.map((field) => [field, null]));
    shape = { type, isOwnId, fields, template };
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
