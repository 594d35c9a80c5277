import { type MessageClass, messageClassById } from "./messages.ts";
import type { Wire, WireObject } from "./wire.ts";

/**
 * What the JSON form of a message says, worked out once: it is revived on every read, and compared
 * with the live message on every put.
 */
export interface MessagePlan {
  readonly type: MessageClass;
  /** Whether the class writes itself under this id. */
  readonly isOwnId: boolean;
  /** The fields of the constructor, in the order of the JSON form. */
  readonly fields: readonly string[];
  /** Their JSON forms, in the same order. */
  readonly values: readonly Wire[];
  /** The fields by name, to be copied; those that are objects are left empty. */
  readonly template: Readonly<Record<string, unknown>>;
  /** Which of `values` are objects. */
  readonly parts: readonly number[];
}

/** The plan, or null for what is no message or one that takes more than copying. */
export function messagePlan(wire: Wire): MessagePlan | null {
  if (!isObject(wire) || wire.lc !== 1 || wire.type !== "constructor") return null;
  const { id, kwargs } = wire;
  if (!Array.isArray(id) || !isObject(kwargs) || !Object.hasOwn(wire, "kwargs")) return null;
  const type = messageClassById(id);
  if (type === undefined) return null;
  const fields: string[] = [];
  const values: Wire[] = [];
  const template: Record<string, unknown> = {};
  const parts: number[] = [];
  for (const key of Object.keys(kwargs)) {
    const field = type.fieldOf(key);
    const value = kwargs[key] as Wire;
    const isPart = typeof value === "object" && value !== null;
    // A record may stand for `undefined`, and then the field is not there at all.
    if (field === "__proto__" || Object.hasOwn(template, field)) return null;
    if (isPart && !Array.isArray(value) && value.lc === 2) return null;
    if (isPart) parts.push(fields.length);
    fields.push(field);
    values.push(value);
    template[field] = isPart ? null : value;
  }
  return { type, isOwnId: isSameId(id, type.id), fields, values, template, parts };
}

function isObject(wire: Wire | undefined): wire is WireObject {
  return typeof wire === "object" && wire !== null && !Array.isArray(wire);
}

function isSameId(id: readonly Wire[], own: readonly string[]): boolean {
  return id.length === own.length && id.every((part, index) => part === own[index]);
}
