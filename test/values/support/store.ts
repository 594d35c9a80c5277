import {
  type CachedChunk,
  type Chunk,
  type ChunkId,
  cachedChunk,
  createValueCodec,
  type EncodedValue,
  type StoredValue,
  type ValueCodec,
} from "../../../src/values/codec.ts";
import { createEncoder } from "../../../src/values/encode.ts";
import type { Memo } from "../../../src/values/memo.ts";

/** A chunk table in memory: rows as a database would return them, so every read parses anew. */
export class Rows {
  readonly chunks = new Map<ChunkId, Chunk>();

  /** Stores what is missing and returns it. */
  put(value: EncodedValue): Chunk[] {
    const sent = value.unstored((id) => this.chunks.has(id)).map((chunk) => chunk.body());
    for (const chunk of sent) this.chunks.set(chunk.id, chunk);
    return sent;
  }

  /** A source that has parsed nothing yet. */
  source(): Map<ChunkId, CachedChunk> {
    return new Map([...this.chunks].map(([id, chunk]) => [id, cachedChunk({ ...chunk })]));
  }
}

export function encodeNow(codec: ValueCodec, value: unknown): EncodedValue {
  const encoded = codec.encode(value, 'channel "x"');
  if (encoded instanceof Promise) throw new Error("encoding should be synchronous");
  return encoded;
}

/** Everything that would be stored for a value, in a form that can be compared. */
export function storedForm(codec: ValueCodec, value: unknown): unknown {
  return formOf(encodeNow(codec, value));
}

function formOf(encoded: EncodedValue): unknown {
  const { type, payload, chunks, tree } = encoded;
  const bodies = tree.map((chunk) => chunk.body()).sort((a, b) => (a.id < b.id ? -1 : 1));
  return { type, payload, chunks, bodies };
}

const nothing = (): undefined => undefined;

/** A new codec would not do: what is remembered of an object is found by all of them. */
const NO_MEMORY: Memo = {
  recall: nothing,
  recallRun: nothing,
  recallText: nothing,
  recallLongText: nothing,
  recallFlat: nothing,
  remember: nothing,
  rememberContainer: nothing,
  rememberText: nothing,
  rememberLongText: nothing,
};

/** What would be stored by a process that has never seen any of it. */
export function freshForm(value: unknown): unknown {
  return formOf(createEncoder(NO_MEMORY)(value, 'channel "x"'));
}

/** The row of a value: nothing of the process that encoded it. */
export function rowOf({ type, payload, chunks }: EncodedValue): StoredValue {
  return { type, payload, chunks };
}

/** Through rows and back, by codecs that share nothing. */
export async function roundTrip(value: unknown): Promise<unknown> {
  const rows = new Rows();
  const encoded = encodeNow(createValueCodec(), value);
  rows.put(encoded);
  return await createValueCodec().decode(rowOf(encoded), rows.source());
}

export function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { payload }) => sum + Buffer.byteLength(payload ?? ""), 0);
}
