import { createHash } from "node:crypto";

/** An SQL text and the name under which servers keep its plan. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** PostgreSQL cuts longer names off silently, and two statements would share a plan. */
const MAX_NAME_BYTES = 63;
const HASH_LENGTH = 20;

/**
 * A statement named after its text: `label` says to a person what it is, the hash says to the
 * server which text it is. One name with two texts gives silently wrong results behind a
 * PgBouncer that knows nothing of prepared statements; one name with one text at worst fails
 * cleanly.
 */
export function statement(label: string, text: string): Statement {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_LENGTH);
  const prefix = label.replace(/[^A-Za-z0-9_]/g, "_").slice(0, MAX_NAME_BYTES - HASH_LENGTH - 1);
  return { name: `${prefix}_${hash}`, text };
}
