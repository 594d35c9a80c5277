/**
 * Text as PostgreSQL can hold it. A `text` value cannot hold NUL, and UTF-8 cannot hold a lone
 * surrogate: Node would write U+FFFD for one, and two names would silently become the same.
 * Channel, task, node and namespace names may hold either, so those characters are escaped; every
 * other text is stored as it is, and can be read with plain SQL.
 */
import { InvalidConfigError } from "../errors.ts";

// SUBSTITUTE, a control character that no sane name holds; it is escaped too, so that decoding is exact.
const ESCAPE = "\u001a";
const NEEDS_ESCAPE =
  /[\u0000\u001a]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const EVERY_ESCAPE = new RegExp(NEEDS_ESCAPE.source, "g");
const ESCAPED = /\u001a([0-9a-f]{4})/g;

/** The name as a `text` column holds it; `decodeName` gives the name back exactly. */
export function encodeName(name: string): string {
  if (!NEEDS_ESCAPE.test(name)) return name;
  return name.replace(
    EVERY_ESCAPE,
    (unit) => ESCAPE + unit.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

export function decodeName(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  return text.replace(ESCAPED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The JSON text of a channel's version, as its row is named by. */
export function versionText(version: string | number | undefined): string {
  // Of a number, ten times as fast as JSON.stringify where it was asked for before: V8 remembers.
  return typeof version === "number" ? String(version) : JSON.stringify(version);
}

/**
 * Records live in this namespace, those that name one in `@records/<namespace>`: no graph's is like
 * it (LangGraph puts `:` and an id behind a node's name), so a record is never a graph's latest
 * checkpoint. Changing it is a migration: an index is made for it.
 */
export const RECORDS = "@records";

/** Whether the namespace is one of records. */
export function isOfRecords(namespace: string): boolean {
  return namespace === RECORDS || namespace.startsWith(`${RECORDS}/`);
}

/** The same as a condition in SQL, of the namespace in `column`. */
export function isRecord(column: string): string {
  return `(${column} = '${RECORDS}' OR ${column} LIKE '${RECORDS}/%')`;
}

/**
 * The longest names, in UTF-8 bytes. An index entry holds 2,704 bytes at most, and the longest key
 * (a pending write's) is thread, namespace, checkpoint and task together.
 */
export const MAX_BYTES = {
  thread_id: 512,
  checkpoint_ns: 1024,
  checkpoint_id: 256,
  execution_id: 512,
  task_id: 512,
  channel: 512,
  task_path: 65_536,
} as const;

/** The thread id, or an error that says what is wrong with it before the database is asked. */
export function checkThreadId(threadId: unknown): string {
  if (threadId === undefined || threadId === null) {
    throw new InvalidConfigError(
      'thread_id is missing: pass { configurable: { thread_id: "…" } } so that the checkpointer knows which thread to use.',
    );
  }
  if (typeof threadId !== "string") {
    // LangGraph's own savers accept numbers by accident of string interpolation; so do we, on purpose.
    if (typeof threadId === "number" && Number.isFinite(threadId)) return String(threadId);
    throw new InvalidConfigError(`thread_id must be a string, got ${typeof threadId}.`);
  }
  if (threadId === "") throw new InvalidConfigError("thread_id must not be the empty string.");
  if (NEEDS_ESCAPE.test(threadId)) {
    throw new InvalidConfigError(
      "thread_id must not hold NUL, U+001A or a lone surrogate: PostgreSQL cannot store them.",
    );
  }
  checkLength("thread_id", threadId, MAX_BYTES.thread_id);
  return threadId;
}

/** An encoded name that is short enough for an index entry, or an error that says which one is not. */
export function checkName(what: keyof typeof MAX_BYTES, name: string): string {
  const encoded = encodeName(name);
  checkLength(what, encoded, MAX_BYTES[what]);
  return encoded;
}

function checkLength(what: string, text: string, limit: number): void {
  // A UTF-16 unit is at most three bytes of UTF-8, so most names need no counting.
  if (text.length * 3 <= limit) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > limit) {
    throw new InvalidConfigError(
      `${what} has ${bytes} bytes; the limit is ${limit}, because it is part of an index entry. Use a shorter one, such as its hash.`,
    );
  }
}
