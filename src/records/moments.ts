/** Moments as they come: checked, because a wrong one would make a record expire at the wrong time. */
import { InvalidConfigError } from "../errors.ts";
import { describe } from "../options.ts";

// A time without an offset would be another moment on another machine.
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d(?::?\d\d)?))?$/i;
/** What a Date can hold. */
const MAX_MS = 8.64e15;

/** Milliseconds since the epoch; `what` names the place in the error. */
export function momentMs(value: unknown, what: string): number {
  const ms =
    value instanceof Date ? value.getTime() : typeof value === "string" ? parse(value) : value;
  if (typeof ms === "number" && Math.abs(ms) <= MAX_MS) return Math.trunc(ms);
  throw new InvalidConfigError(
    `${what} must be a Date, an ISO 8601 text with Z or an offset, such as "2026-03-01T12:00:00Z", or milliseconds since the epoch; got ${value instanceof Date ? "an invalid Date" : describe(value)}.`,
  );
}

function parse(text: string): number {
  const [, date, time, zone] = ISO.exec(text.trim()) ?? [];
  if (date === undefined) return Number.NaN;
  const day = Date.parse(`${date}T00:00:00Z`);
  // Date.parse takes the 30th of February for a day in March.
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== date) return Number.NaN;
  if (time === undefined || zone === undefined) return day;
  const offset = zone.length === 3 ? `${zone}:00` : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  return Date.parse(`${date}T${time}${zone.toUpperCase() === "Z" ? "Z" : offset}`);
}
