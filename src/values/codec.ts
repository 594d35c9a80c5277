import { JsonPlusSerializer, type SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { SerializationError } from "../errors.ts";
import type { ChunkId } from "./chunk.ts";
import { decodeValue, missingChunks } from "./decode.ts";
import { createEncoder } from "./encode.ts";
import { createMemo } from "./memo.ts";
import type { ChunkSource, EncodedValue, StoredValue } from "./stored-value.ts";

export { type CachedChunk, cachedChunk } from "./cached-chunk.ts";
export { type Chunk, type ChunkId, verifyChunk } from "./chunk.ts";
export { deserialize, serialize } from "./serialize.ts";
export type { ChunkRun, ChunkSource, EncodedValue, StoredValue } from "./stored-value.ts";

/** Turns values into rows and chunks, and back. */
export interface ValueCodec {
  /**
   * A value as rows hold it. What it returns does not change when the value is changed later. A
   * Promise only with a user's serializer.
   *
   * @param place names the value in errors, such as `channel "messages"`.
   * @throws SerializationError naming place and path of what cannot be written.
   */
  encode(value: unknown, place: string): EncodedValue | Promise<EncodedValue>;
  /** The chunk ids that decoding needs and `chunks` lacks, as far as it knows the way to them. */
  missing(value: StoredValue, chunks: ChunkSource): ChunkId[];
  /**
   * The value, made of objects that nobody else holds. A Promise only where `@langchain/core/load`
   * or a user's serializer is needed.
   *
   * @throws CorruptCheckpointError, without naming the place, if the bytes make no sense.
   */
  decode(value: StoredValue, chunks: ChunkSource): unknown | Promise<unknown>;
}

/**
 * @param options.serde a serializer to use instead of the package's own. Its output is opaque: it is
 *   stored whole, in one piece. LangGraph's own JsonPlusSerializer counts as none, because the
 *   format is the same.
 */
export function createValueCodec(
  options: { serde?: SerializerProtocol | undefined } = {},
): ValueCodec {
  const { serde } = options;
  return serde === undefined || isPlainJsonPlus(serde) ? ownCodec() : foreignCodec(serde);
}

function isPlainJsonPlus(serde: SerializerProtocol): boolean {
  return (
    Object.getPrototypeOf(serde) === JsonPlusSerializer.prototype &&
    Object.getOwnPropertyNames(serde).length === 0
  );
}

function ownCodec(): ValueCodec {
  const memo = createMemo();
  return {
    encode: createEncoder(memo),
    missing: missingChunks,
    decode: (value, chunks) => decodeValue(value, chunks, memo),
  };
}

/** Types that say that a value is this package's own, in the clear or encrypted. */
const OWN_TYPES = /^(json|bytes|sealed.*)$/s;
/** Stands before the type of a user's serializer where it could be taken for one of ours. */
const MARK = "serde:";

function foreignCodec(serde: SerializerProtocol): ValueCodec {
  const own = ownCodec();
  return {
    async encode(value, place) {
      try {
        const [called, payload] = await serde.dumpsTyped(value);
        const isOurs = OWN_TYPES.test(called) || called.startsWith(MARK);
        const type = isOurs ? MARK + called : called;
        return { type, payload, chunks: null, tree: [], unstored: () => [] };
      } catch (error) {
        throw new SerializationError(`${place}: the serializer that was configured failed.`, {
          cause: error,
        });
      }
    },
    missing: missingChunks,
    decode(value, chunks) {
      const { type, payload } = value;
      // Values that were put before the serializer was configured are still here.
      if (OWN_TYPES.test(type)) return own.decode(value, chunks);
      const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      const called = type.startsWith(MARK) ? type.slice(MARK.length) : type;
      return serde.loadsTyped(called, bytes ?? new Uint8Array());
    },
  };
}
