import type { ObjectKind } from "./headers.ts";
import { isSend } from "./send.ts";
import { isPlain, type Wire, type WireObject } from "./wire.ts";

export type WireContainer = Wire[] | WireObject;
export type LiveContainer = unknown[] | Record<string, unknown>;

/** Whether the wire form may be cut: an array, or an object that means nothing but its entries. */
export function isWireContainer(wire: Wire): wire is WireContainer {
  return typeof wire === "object" && wire !== null && !Object.hasOwn(wire, "lc");
}

/** Whether the value is written as its own elements or entries, and may be cut. */
export function isLiveContainer(value: unknown): value is LiveContainer {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  return (
    isPlain(value) &&
    !Object.hasOwn(value, "lc") &&
    typeof (value as { toJSON?: unknown }).toJSON !== "function" &&
    !isSend(value)
  );
}

export function kindOf(container: object): ObjectKind {
  return Array.isArray(container) ? "[" : "{";
}
