/**
 * A cursor says after which record the next page begins, by the values it is ordered by: however far
 * that is, an index leads there. It fits only the query that it came from.
 */
import { hash } from "node:crypto";
import { InvalidOptionError } from "../errors.ts";
import { encodeName } from "../storage/names.ts";
import type { StoredCheckpoint } from "../storage/reader.ts";
import type { OrderKey } from "./list-options.ts";

export interface Cursor {
  /** The values of the order's columns, as text. */
  readonly values: readonly string[];
  /** What the first page counted. */
  readonly total: number | undefined;
}

interface Column {
  readonly whole: boolean;
  readonly of: (row: StoredCheckpoint) => string;
}

const TIME: Column = { whole: true, of: ({ details }) => details?.createdAt ?? "0" };
const SEQ: Column = { whole: true, of: ({ seq }) => String(seq) };
const ID: Column = { whole: false, of: ({ checkpointId }) => encodeName(checkpointId) };
const THREAD: Column = { whole: false, of: ({ threadId }) => threadId };
const NAMESPACE: Column = { whole: false, of: ({ namespace }) => encodeName(namespace) };

/** The columns of each order, which together tell any two rows apart; `statements.ts` names them in SQL. */
const COLUMNS: Readonly<Record<OrderKey, readonly Column[]>> = {
  createdAt: [TIME, SEQ, ID, THREAD, NAMESPACE],
  version: [SEQ, TIME, ID, THREAD, NAMESPACE],
  id: [ID, THREAD, NAMESPACE],
};

/** What a row has in the order's columns. */
export function orderValues(key: OrderKey, row: StoredCheckpoint): string[] {
  return COLUMNS[key].map((column) => column.of(row));
}

/** A short text that no other query has. */
export function fingerprint(query: readonly unknown[]): string {
  const text = JSON.stringify(query.map((part) => part ?? null));
  return hash("sha256", text, "hex").slice(0, 16);
}

export function encodeCursor(query: string, { values, total }: Cursor): string {
  return Buffer.from(JSON.stringify([query, total ?? null, ...values])).toString("base64url");
}

export function decodeCursor(cursor: unknown, query: string, key: OrderKey): Cursor {
  const parts = typeof cursor === "string" ? parse(cursor) : undefined;
  const [owner, total, ...values] = parts ?? [];
  const columns = COLUMNS[key];
  const isWhole =
    typeof owner === "string" &&
    (total === null || (Number.isSafeInteger(total) && (total as number) >= 0));
  if (!isWhole) {
    throw new InvalidOptionError(
      "cursor is not one that this package gave: pass nextCursor as it is.",
    );
  }
  const fits =
    owner === query &&
    values.length === columns.length &&
    columns.every(({ whole }, i) => isValue(values[i], whole));
  if (!fits) {
    throw new InvalidOptionError(
      "cursor belongs to another query: threadId, executionId, namespace, filter and orderBy must be those of the page it came with.",
    );
  }
  return { values: values as string[], total: total === null ? undefined : (total as number) };
}

function isValue(value: unknown, whole: boolean): boolean {
  return (
    typeof value === "string" && (!whole || /^-?\d{1,18}$/.test(value)) && !value.includes("\0")
  );
}

function parse(cursor: string): unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}
