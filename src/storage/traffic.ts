/** What a storage has moved: how much of it, and how much it did not have to. */
import type { WriteOperation } from "./write-operation.ts";

/** Counts since the storage was opened. */
export interface Traffic {
  /** Large values whose chunks were all in memory when they were read. */
  cacheHits: number;
  /** Those that needed the database. */
  cacheMisses: number;
  /** Bytes of values, chunks and checkpoints that were sent and stored, counted before chunks are compressed. */
  bytesStored: number;
  /** Characters of large values that were written and not sent, because their thread had them. */
  bytesDeduplicated: number;
}

export function noTraffic(): Traffic {
  return { cacheHits: 0, cacheMisses: 0, bytesStored: 0, bytesDeduplicated: 0 };
}

/** The bytes of an operation that end up in rows, without what each row costs besides. */
export function bytesOf({
  chunks,
  values,
  writes,
  checkpoint,
}: Pick<WriteOperation, "chunks" | "values" | "writes" | "checkpoint">): number {
  let bytes = length(checkpoint?.data) + length(checkpoint?.metadata);
  for (const rows of [chunks, values, writes]) {
    for (const { payload } of rows) bytes += length(payload);
  }
  return bytes;
}

function length(cell: unknown): number {
  if (typeof cell === "string") return Buffer.byteLength(cell);
  return cell instanceof Uint8Array ? cell.byteLength : 0;
}
