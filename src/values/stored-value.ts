import type { CachedChunk } from "./cached-chunk.ts";
import type { Chunk, ChunkId } from "./chunk.ts";

/** A value as a row of `T_values` or `T_writes` holds it. */
export interface StoredValue {
  /** `"json"`, `"bytes"`, or whatever a user's serializer calls its output. */
  readonly type: string;
  /** `"json"`: JSON text or, when `chunks` is set, the container's header. `"bytes"`: the bytes. */
  readonly payload: string | Uint8Array | null;
  readonly chunks: readonly ChunkId[] | null;
}

/** A value cut into chunks, independent of the object it was made from. */
export interface EncodedValue extends StoredValue {
  /** Every chunk of the tree, each once, children before their parents. */
  readonly tree: readonly EncodedChunk[];
  /**
   * The chunks of the tree that have to be sent, each once, children before their parents. It asks
   * about a chunk only if it asked about those above it: where a chunk is stored, all below it are,
   * because they were stored with it and only go with it.
   */
  unstored(isStored: (id: ChunkId) => boolean): EncodedChunk[];
  /** Characters of all chunks together; undefined where there are none. */
  readonly length?: number;
}

/** A chunk whose body is made when it is asked for: most chunks are stored already. */
export interface EncodedChunk {
  readonly id: ChunkId;
  /** The row to store. */
  body(): Chunk;
  /** The same chunk for the cache, with its parsed form. */
  cached(): CachedChunk;
}

/** Where chunks are looked up while a value is put together. */
export interface ChunkSource {
  get(id: ChunkId): CachedChunk | undefined;
  /** What is right below a chunk that has children, where the source knows all of it at once. */
  below?(chunk: CachedChunk): ChunkRun | undefined;
}

/** The children of one chunk, in their order. */
export interface ChunkRun {
  readonly chunks: readonly CachedChunk[];
  /** Whether none of them has children. */
  readonly areLeaves: boolean;
}
