/** How much one statement may carry. */
import { SerializationError } from "../errors.ts";
import type { CheckpointRow } from "./columns.ts";

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

/** How many bytes an operation brings, at least, without names and what each row costs besides. */
export function weightOf({
  chunks,
  values,
  writes,
  checkpoint,
}: {
  readonly chunks: Rows;
  readonly values: Rows;
  readonly writes: Rows;
  readonly checkpoint: Pick<CheckpointRow, "data" | "metadata" | "channel_versions"> | null;
}): number {
  const ofCheckpoint =
    checkpoint === null
      ? 0
      : sizeOf(checkpoint.data) + sizeOf(checkpoint.metadata) + sizeOf(checkpoint.channel_versions);
  return weigh(chunks) + weigh(values) + weigh(writes) + ofCheckpoint;
}

/** The same of some rows. */
export function weigh(rows: Rows): number {
  return rows.reduce((sum, { payload }) => sum + sizeOf(payload), 0);
}

/** At least so many bytes. */
export function sizeOf(payload: unknown): number {
  return typeof payload === "string" || payload instanceof Uint8Array ? payload.length : 0;
}
