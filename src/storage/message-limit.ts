/** How much one statement may carry. */
import { SerializationError } from "../errors.ts";

/**
 * The server ends the connection of who sends more in one message, and a repetition would meet the same. Asked before
 * the parameters are packed, of characters, and then of the bytes that they came to.
 */
const MAX_MESSAGE = 2 ** 30 - 65_536;

/** @throws SerializationError where these come to more than one message holds. */
export function refuseTooMuch(sizes: readonly number[]): void {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes <= MAX_MESSAGE) return;
  throw new SerializationError(
    `What is to be stored at once has ${bytes} bytes or more; PostgreSQL takes ${MAX_MESSAGE} in one message. Nothing was written. Keep data of that size elsewhere, and its address in the state.`,
  );
}

type Rows = readonly { readonly payload: unknown }[];

/** How many bytes the payloads of an operation have, at least. */
export function weightOf(operation: {
  readonly chunks: Rows;
  readonly values: Rows;
  readonly writes: Rows;
}): number {
  return weigh(operation.chunks) + weigh(operation.values) + weigh(operation.writes);
}

/** The same of some rows. */
export function weigh(rows: Rows): number {
  return rows.reduce((sum, { payload }) => sum + sizeOf(payload), 0);
}

/** At least so many bytes. */
export function sizeOf(payload: unknown): number {
  return typeof payload === "string" || payload instanceof Uint8Array ? payload.length : 0;
}
