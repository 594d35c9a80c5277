/**
 * The copy of the metadata that `jsonb` can hold, for filtering only: the metadata itself comes back
 * from bytes. `jsonb` refuses NUL and lone surrogates; they are escaped, in filters the same way, so
 * that a filter still finds exactly what it says.
 */
import { InvalidOptionError } from "../errors.ts";
import { encodeName, isOfRecords } from "./names.ts";

/** What `encodeName` escapes, as JSON text has it. */
const MAY_NEED_ESCAPE = /\\u(?:0000|001a|d[89a-f])/;

/** JSON text that `jsonb` accepts. */
export function filterable(metadata: unknown): string {
  // What JSON cannot say (a bigint, a circle) cannot be filtered by; it is still stored, in bytes.
  try {
    const text = JSON.stringify(metadata) ?? "{}";
    return MAY_NEED_ESCAPE.test(text)
      ? JSON.stringify(metadata, (_, value: unknown) => sanitise(value))
      : text;
  } catch {
    return "{}";
  }
}

function sanitise(value: unknown): unknown {
  if (typeof value === "string") return encodeName(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  if (keys.every((key) => encodeName(key) === key)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [encodeName(key), one]));
}

/**
 * What LangGraph notes in a checkpoint's metadata and retention has to read: ids of checkpoints, and
 * counts of steps by channel. By key, what an entry must be to be no more than that.
 */
const BOOKS: Readonly<Record<string, (entry: unknown) => boolean>> = {
  parents: (entry) => typeof entry === "string",
  counters_since_delta_snapshot: (entry) =>
    typeof entry === "number" ||
    (Array.isArray(entry) && entry.every((one) => typeof one === "number")),
};

/** Of the metadata's copy, what may be seen where all else is encrypted: JSON text, from JSON text. */
export function visibleMetadata(
  metadata: string,
  namespace: string,
  listed: readonly string[],
): string {
  const isRecord = isOfRecords(namespace);
  const all = (JSON.parse(metadata) ?? {}) as Record<string, unknown>;
  const names = new Set(listed.map(encodeName));
  const seen = Object.entries(all).flatMap(([key, value]) => {
    if (names.has(key)) return [[key, value]];
    const fits = isRecord || !Object.hasOwn(BOOKS, key) ? undefined : BOOKS[key];
    if (!fits || typeof value !== "object" || value === null) return [];
    return [[key, Object.fromEntries(Object.entries(value).filter(([, one]) => fits(one)))]];
  });
  // fromEntries defines own properties, so that a key __proto__ stays one.
  return JSON.stringify(Object.fromEntries(seen));
}

/** The keys that {@link visibleMetadata} may leave. */
export function visibleKeys(listed: readonly string[]): string[] {
  return [...listed.map(encodeName), ...Object.keys(BOOKS)];
}

/**
 * Throws for a filter that an encrypted store cannot answer: the copy that filters look at holds only
 * what was listed.
 *
 * @param filter JSON text that {@link filterable} made.
 */
export function checkFilter(
  filter: string | undefined,
  listed: readonly string[] | undefined,
): void {
  if (filter === undefined || listed === undefined) return;
  const names = new Set(listed.map(encodeName));
  const hidden = Object.keys(JSON.parse(filter) as object).find((key) => !names.has(key));
  if (hidden === undefined) return;
  throw new InvalidOptionError(
    `The metadata key ${JSON.stringify(hidden)} is encrypted, so nothing can be filtered by it. List it in encryption.plainMetadata, and call reencrypt({ all: true }) for what is stored already.`,
  );
}
