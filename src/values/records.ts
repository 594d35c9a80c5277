import type { Wire, WireObject } from "./wire.ts";

/**
 * JSON knows no `undefined`, no Map, no Date. JsonPlusSerializer writes some of what JSON lacks as
 * objects with `lc: 2`. What it does not know is written here as a constructor record with an id of
 * two parts: JsonPlusSerializer only revives ids of one part and hands ours through untouched.
 */
const OWN = "langgraph-postgres";

/** The record of `undefined`. */
export const UNDEFINED: WireObject = Object.freeze({ lc: 2, type: "undefined" });

/** A constructor record as JsonPlusSerializer writes it. */
export function constructorRecord(name: string, args: Wire[], method: string | null): WireObject {
  return { lc: 2, type: "constructor", id: [name], method, args, kwargs: {} };
}

/** A record for what JsonPlusSerializer cannot write. */
export function ownRecord(name: string, arg: Wire): WireObject {
  return { lc: 2, type: "constructor", id: [OWN, name], args: [arg] };
}

/** The name in a record made by {@link ownRecord}, or undefined for any other object. */
export function ownRecordName(record: WireObject): string | undefined {
  const { id, args } = record;
  if (!Array.isArray(id) || id.length !== 2 || id[0] !== OWN) return undefined;
  if (!Array.isArray(args) || args.length !== 1) return undefined;
  return typeof id[1] === "string" ? id[1] : undefined;
}

/** Whether reading would turn this object into something else, so that user data of this shape needs escaping. */
export function isRecord(object: WireObject): boolean {
  return (
    object.lc === 2 &&
    (object.type === "undefined" ||
      object.type === "constructor" ||
      (object.type === "delta_snapshot" && Object.hasOwn(object, "value")))
  );
}
