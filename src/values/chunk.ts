import { hash } from "node:crypto";

/** The first 128 bits of SHA-256 over a chunk's bytes, as canonical lower-case uuid text. */
export type ChunkId = string;

/**
 * One immutable row of the chunk table.
 *
 * | kind | `payload` | `children` |
 * |---|---|---|
 * | leaf | JSON text of a run of elements `[…]` or of entries `{…}`, or of a slice of a long text `"…"` | null |
 * | index node | null | ids |
 * | container | `[`, `{`, or `"` of a long text; as an object's entry with its key in front, `"key":[` | ids |
 */
export interface Chunk {
  readonly id: ChunkId;
  readonly payload: string | null;
  readonly children: readonly ChunkId[] | null;
}

/** The id of the chunk with this payload and these children. */
export function chunkId(payload: string | null, children: readonly ChunkId[] | null): ChunkId {
  // No JSON text starts with "{" and a bare uuid, so a leaf can never pass for a node.
  const hex = hash(
    "sha256",
    children === null ? (payload ?? "") : `{${children.join(",")}}${payload ?? ""}`,
    "hex",
  );
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** Whether the chunk's id really is the hash of its bytes. */
export function verifyChunk(chunk: Chunk): boolean {
  return chunkId(chunk.payload, chunk.children) === chunk.id;
}
