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

/** How many bytes the payloads of these rows have, at least. */
export function weigh(
  rows: readonly { readonly payload: string | number | Uint8Array | null }[],
): number {
  return rows.reduce((sum, { payload }) => sum + sizeOf(payload), 0);
}

/** At least so many bytes. */
export function sizeOf(payload: string | number | Uint8Array | null): number {
  return typeof payload === "string" || payload instanceof Uint8Array ? payload.length : 0;
}
