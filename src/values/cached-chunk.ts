import type { Chunk, ChunkId } from "./chunk.ts";
import { TreeChunk } from "./tree-chunk.ts";

/** A chunk kept in memory. What it was parsed into stays private to this folder. */
export interface CachedChunk {
  readonly id: ChunkId;
  /** About how many bytes it keeps alive. */
  readonly size: number;
  readonly children: readonly ChunkId[] | null;
}

/** A chunk for keeping. Its text is parsed when it is first needed and never again. */
export function cachedChunk(chunk: Chunk): CachedChunk {
  return new TreeChunk(chunk);
}
