/** From stored values to values: the chunks that they need are fetched, checked and put together. */
import type { Cipher } from "../encryption/cipher.ts";
import { CorruptCheckpointError, LangGraphPostgresError } from "../errors.ts";
import { uuidArray } from "../postgres/arrays.ts";
import type { Executor } from "../postgres/database.ts";
import type { Statement } from "../postgres/statement.ts";
import {
  type CachedChunk,
  type ChunkId,
  type ChunkSource,
  cachedChunk,
  type ValueCodec,
  verifyChunk,
} from "../values/codec.ts";
import { chunkIds } from "./chunk-ids.ts";
import { textOf } from "./compression.ts";
import { notItsId, openChunk, type RowValue } from "./sealing.ts";
import type { KnowledgeStore } from "./thread-knowledge.ts";
import type { Traffic } from "./traffic.ts";

/** A stored value and where it stands, for the error that names it. */
export interface Placed {
  readonly value: RowValue;
  readonly where: () => string;
}

export interface ChunkLoader {
  /**
   * A source that holds every chunk that `values` need, asking the database at most once, and not
   * at all if this process has them. Undefined if the thread's generation moved meanwhile: then
   * chunks may be gone because the thread was pruned, and the rows have to be read anew.
   */
  load(
    threadId: string,
    generation: string,
    values: readonly Placed[],
  ): Promise<ChunkSource | undefined>;
  /** The value; a Promise only where a class or a user's serializer has to be waited for. */
  decode(placed: Placed, source: ChunkSource): unknown | Promise<unknown>;
}

export interface ChunkLoaderParts {
  readonly executor: Executor;
  readonly statements: { readonly chunks: Statement; readonly thread: Statement };
  readonly knowledge: KnowledgeStore;
  readonly codec: ValueCodec;
  readonly traffic: Traffic;
  readonly cipher: Cipher | undefined;
}

export function createChunkLoader(parts: ChunkLoaderParts): ChunkLoader {
  const { executor, statements, knowledge, codec, traffic, cipher } = parts;

  /**
   * Under the ids of their content; `current` tells those that a writer may count on, `damaged` one that does not hold
   * what its id says.
   */
  const fetch = async (
    threadId: string,
    storedIds: Iterable<ChunkId>,
  ): Promise<{
    chunks: Map<ChunkId, CachedChunk>;
    current: Map<ChunkId, CachedChunk>;
    damaged?: ChunkId | undefined;
  }> => {
    const rows = await executor.execute(statements.chunks, [threadId, uuidArray([...storedIds])]);
    const chunks = new Map<ChunkId, CachedChunk>();
    if (cipher === undefined) {
      let damaged: ChunkId | undefined;
      for (const row of rows) {
        const [id, children, text = null, packed] = row;
        const payload = packed == null ? text : textOf(Buffer.from(packed, "base64"));
        const chunk = { id: id ?? "", payload, children: chunkIds(children) };
        if (verifyChunk(chunk)) chunks.set(chunk.id, cachedChunk(chunk));
        else damaged = chunk.id;
      }
      return { chunks, current: chunks, damaged };
    }
    // What an older key sealed, or none, has another id in the database than it will get from now on.
    const current = new Map<ChunkId, CachedChunk>();
    for (const [id = "", children = null, , payload] of rows) {
      const bytes = payload == null ? null : Buffer.from(payload, "base64");
      const opened = openChunk(cipher, threadId, { id: id ?? "", payload: bytes, children });
      const cached = cachedChunk(opened.chunk);
      chunks.set(cached.id, cached);
      if (opened.current) current.set(cached.id, cached);
    }
    return { chunks, current };
  };

  /** The chunks that `values` need and `source` lacks: their ids in the database, and by content. */
  const missingOf = (
    threadId: string,
    values: readonly Placed[],
    source: ChunkSource,
    onValue?: (missing: number) => void,
  ): Map<ChunkId, ChunkId> => {
    const missing = new Map<ChunkId, ChunkId>();
    for (const { value } of values) {
      if (value.chunks === null) continue;
      const ids = codec.missing(value, source);
      onValue?.(ids.length);
      const stored = cipher && value.key ? cipher.hideIds(threadId, value.key, ids) : ids;
      ids.forEach((id, i) => {
        missing.set(stored[i] ?? id, id);
      });
    }
    return missing;
  };

  const count = (missing: number): void => {
    if (missing === 0) traffic.cacheHits += 1;
    else traffic.cacheMisses += 1;
  };

  return {
    async load(threadId, generation, values) {
      const known = knowledge.get(threadId)?.hold();
      let fetched = new Map<ChunkId, CachedChunk>();
      const source: ChunkSource = {
        get: (id) => fetched.get(id) ?? known?.get(id),
        below: (chunk) => known?.below?.(chunk),
      };
      let current = new Map<ChunkId, CachedChunk>();
      const asked = new Set<ChunkId>();
      // The second round finds nothing missing, or a chunk that the database has not.
      for (;;) {
        const missing = missingOf(threadId, values, source, asked.size === 0 ? count : undefined);
        if (missing.size === 0) break;
        const lost = [...missing.keys()].find((id) => asked.has(id));
        if (lost !== undefined) {
          const [thread] = await executor.execute(statements.thread, [threadId]);
          if (thread?.[0] !== generation) return undefined;
          const owner = values.find((placed) => missingOf(threadId, [placed], source).has(lost));
          throw new CorruptCheckpointError(`${owner?.where()}: chunk ${lost} is missing.`);
        }
        for (const id of missing.keys()) asked.add(id);
        const found = await fetch(threadId, missing.keys());
        fetched = joined(fetched, found.chunks);
        current = joined(current, found.current);
        const { damaged } = found;
        // What is below a damaged node may be anything, and be damaged itself: only what is needed is told of.
        const owner =
          damaged && values.find((placed) => missingOf(threadId, [placed], source).has(damaged));
        if (owner) throw notItsId(owner.where(), damaged);
      }
      if (current.size > 0) knowledge.remember(threadId, generation, current);
      return source;
    },

    decode({ value, where }, source) {
      try {
        const decoded = codec.decode(value, source);
        return decoded instanceof Promise
          ? decoded.catch((error: unknown) => throwCorrupt(error, where))
          : decoded;
      } catch (error) {
        return throwCorrupt(error, where);
      }
    },
  };
}

/** Both; nearly always the first is empty, and the second may be large. */
function joined<K, V>(some: Map<K, V>, more: Map<K, V>): Map<K, V> {
  return some.size === 0 ? more : new Map([...some, ...more]);
}

function throwCorrupt(error: unknown, where: () => string): never {
  // What a user's serializer or a missing dependency says is not corruption.
  if (error instanceof LangGraphPostgresError && !(error instanceof CorruptCheckpointError)) {
    throw error;
  }
  const reason = error instanceof Error ? error.message : String(error);
  throw new CorruptCheckpointError(`${where()}: ${reason}`, { cause: error });
}
