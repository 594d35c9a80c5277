import { type MessageClass, messageClassById } from "./messages.ts";
import type { Wire, WireObject } from "./wire.ts";

/**
 * What the JSON form of a message says, worked out once: it is revived on every read, and compared
 * with the live message on every put. A long chat is more than a processor's cache holds, so what
 * messages have in common is shared, and what is left lies in one place.
 */
export interface MessagePlan {
  readonly shape: MessageShape;
  readonly given: Given;
}

/** The fields of the constructor, in the order of the JSON form, as JSON forms. */
export type Given = Readonly<WireObject>;

/** What messages of one class with the same fields have in common. */
export interface MessageShape {
  readonly type: MessageClass;
  /** Whether the class writes itself under this id. */
  readonly isOwnId: boolean;
  /** In the JSON form. */
  readonly keys: readonly string[];
  /** For each key, the field that it stands for. */
  readonly fieldOfKey: readonly string[];
  /** For each key, whether an object stands under it. */
  readonly isDeep: readonly boolean[];
  /** Whether the class would write each field just so. */
  readonly isOwn: boolean;
  /** In their order. */
  readonly fields: readonly string[];
  /** Those of the fields that hold objects, of which every message gets its own. */
  readonly deep: readonly string[];
  /** The fields by name, to be copied and filled in. */
  readonly template: Readonly<WireObject>;
  /** Whether all fields, and all that the class would add to them, are common ones, which are compared by name. */
  readonly isCommon: boolean;
}

/** Fields that most messages consist of. Each has a line in `matchesCommon` of matches.ts. */
const COMMON_FIELDS: ReadonlySet<string> = new Set([
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
]);

// Most messages have no tool calls and say nothing more about themselves.
export const EMPTY_LIST: Wire[] = [];
export const EMPTY_OBJECT: WireObject = {};

/** Shapes remembered of each class, those that were met last. Names of fields are data, and there is no end of them. */
const MOST_SHAPES = 16;
const shapes = new Map<MessageClass, MessageShape[]>();

/** The plan, or null for what is not the JSON form of a message. */
export function messagePlan(wire: Wire): MessagePlan | null {
  if (!isObject(wire) || wire.lc !== 1 || wire.type !== "constructor") return null;
  const { id, kwargs } = wire;
  if (!Array.isArray(id) || !isObject(kwargs) || !Object.hasOwn(wire, "kwargs")) return null;
  const type = messageClassById(id);
  if (type === undefined) return null;
  const shape = shapeOf(type, isSameId(id, type.id), kwargs);
  const given: WireObject = { ...shape.template };
  shape.keys.forEach((key, index) => {
    // Own already, so that even `__proto__` is an ordinary field.
    given[shape.fieldOfKey[index] as string] = canonical(kwargs[key] as Wire);
  });
  return { shape, given };
}

function shapeOf(type: MessageClass, isOwnId: boolean, kwargs: WireObject): MessageShape {
  let known = shapes.get(type);
  if (known === undefined) {
    known = [];
    shapes.set(type, known);
  }
  const keys = Object.keys(kwargs);
  const at = known.findIndex((shape) => shape.isOwnId === isOwnId && fits(shape, keys, kwargs));
  if (at === 0) return known[0] as MessageShape;
  const shape = at < 0 ? createShape(type, isOwnId, keys, kwargs) : (known[at] as MessageShape);
  if (at > 0) known.splice(at, 1);
  known.unshift(shape);
  known.length = Math.min(known.length, MOST_SHAPES);
  return shape;
}

function fits(shape: MessageShape, keys: readonly string[], kwargs: WireObject): boolean {
  if (shape.keys.length !== keys.length) return false;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (shape.keys[index] !== key || shape.isDeep[index] !== isDeep(kwargs[key])) return false;
  }
  return true;
}

function createShape(
  type: MessageClass,
  isOwnId: boolean,
  keys: readonly string[],
  kwargs: WireObject,
): MessageShape {
  const fieldOfKey = keys.map((key) => type.fieldOf(key));
  // Objects that are parsed have room for their fields and no more, and so have copies of them.
  const text = fieldOfKey.map((field) => `${JSON.stringify(field)}:null`).join(",");
  const template = JSON.parse(`{${text}}`) as WireObject;
  const fields = Object.keys(template);
  return {
    type,
    isOwnId,
    keys,
    fieldOfKey,
    isDeep: keys.map((key) => isDeep(kwargs[key])),
    isOwn: isOwnId && fields.length === keys.length,
    fields,
    deep: fields.filter((field) => isDeep(kwargs[keys[fieldOfKey.lastIndexOf(field)] as string])),
    isCommon: [...fields, ...type.properties].every((field) => COMMON_FIELDS.has(field)),
    template,
  };
}

function isDeep(wire: Wire | undefined): boolean {
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
