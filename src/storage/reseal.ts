/**
 * Rows from one thread and key to another: opened where they are, sealed for where they go. Each row
 * by itself, so that a thread is rewritten without being in memory as a whole.
 */
import type { Cipher, Place } from "../encryption/cipher.ts";
import { deserialize } from "../values/codec.ts";
import { chunkLiteral } from "./chunk-ids.ts";
import { filterable, visibleMetadata } from "./filter-metadata.ts";
import {
  type ChunkCells,
  openChunk,
  openData,
  openValue,
  sealChunk,
  sealValue,
  type ValueCells,
} from "./sealing.ts";

/** From where to where; the same thread where only the key is new. */
export interface Route {
  readonly cipher: Cipher;
  readonly from: string;
  readonly to: string;
}

export function resealChunk({ cipher, from, to }: Route, cells: ChunkCells): ChunkCells {
  const { id, payload, children } = openChunk(cipher, from, cells).chunk;
  return sealChunk(cipher, to, { id, payload, children: chunkLiteral(children) });
}

export function resealValue(
  { cipher, from, to }: Route,
  place: Place,
  cells: ValueCells,
): ValueCells {
  const { type, payload, chunks } = openValue(cipher, from, place, cells);
  return sealValue(cipher, to, place, { type, payload, chunks: chunkLiteral(chunks) });
}

/** The data, and the metadata's copy as it is made from what the data says. */
export async function resealData(
  { cipher, from, to }: Route,
  place: Place,
  bytes: Buffer,
): Promise<{ readonly data: Buffer; readonly metadata: string }> {
  const { data } = openData(cipher, from, place, bytes);
  const { metadata } = (await deserialize(data)) as { readonly metadata?: unknown };
  const visible = filterable(metadata ?? {});
  return {
    data: cipher.seal(to, place, data),
    metadata: visibleMetadata(visible, place.key[0] ?? "", cipher.plainMetadata),
  };
}
