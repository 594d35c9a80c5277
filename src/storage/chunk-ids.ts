/** Lists of chunk ids as PostgreSQL writes them. */
import type { ChunkId } from "../values/codec.ts";

/** `{id,id,…}`, PostgreSQL's text form of `uuid[]`, as a list. */
export function chunkIds(literal: string | null | undefined): ChunkId[] | null {
  if (literal == null) return null;
  return literal.length === 2 ? [] : literal.slice(1, -1).split(",");
}

/** The text form of `uuid[]` of a list. */
export function chunkLiteral(ids: readonly ChunkId[] | null): string | null {
  return ids === null ? null : `{${ids.join(",")}}`;
}
