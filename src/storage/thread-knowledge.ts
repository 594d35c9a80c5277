/**
 * What this process knows of each thread: its generation, and which chunks it has seen stored under
 * that generation, most of them with their bodies. It is what lets a put send only new chunks and a
 * read fetch none. It is only ever a memory: every write proves the generation again in the database,
 * and forgetting costs speed, never correctness.
 */
import { dropOldest } from "../drop-oldest.ts";
import type { CachedChunk, ChunkId, ChunkRun, ChunkSource } from "../values/codec.ts";

export interface ThreadKnowledge {
  readonly generation: string;
  /** When the thread's row was created: a deleted and recreated thread has another one. */
  readonly createdAt: string;
  /** True if the chunk was seen stored under `generation`; its body may be gone from memory. */
  has(id: ChunkId): boolean;
  /** What is in memory now, for whoever is about to put values together: it stays as it is when others are evicted. */
  hold(): ChunkSource;
  /** True if this version of the channel is the last that was seen stored under `generation`. */
  hasValue(value: ValueName): boolean;
}

/** A version of a channel, by the names that its row has. */
export interface ValueName {
  readonly checkpoint_ns: string;
  readonly channel: string;
  /** As JSON text. */
  readonly version: string;
}

export interface KnowledgeStore {
  get(threadId: string): ThreadKnowledge | undefined;
  /** Takes note of the thread's generation; a new one forgets the chunks seen under the old. */
  learn(threadId: string, generation: string, createdAt: string): ThreadKnowledge;
  /** Takes note of chunks seen stored under `generation`; ignored if that is no longer the thread's. */
  remember(threadId: string, generation: string, chunks: ReadonlyMap<ChunkId, CachedChunk>): void;
  /** Takes note of values seen stored under `generation`, the same way. */
  rememberValues(threadId: string, generation: string, values: Iterable<ValueName>): void;
  /** A reader looked for the thread and it was not there. */
  forget(threadId: string): void;
  /**
   * Takes note that the checkpoint was put into, or read from, the thread that was created then. It
   * outlives `forget`: a run whose thread was deleted is told by the checkpoint it comes from.
   */
  saw(threadId: string, checkpointId: string, createdAt: string): void;
  /** When the thread was created that one of these checkpoints was seen in, if any was. */
  origin(threadId: string, checkpointIds: readonly string[]): string | undefined;
  readonly bytes: number;
}

/** What an id without a body weighs: a Map entry and a 36-character string. */
const ID_BYTES = 120;
/**
 * Values remembered by name, of all threads and of one (each run of a subgraph brings its own). They
 * weigh some 200 bytes each, and a put without them sends the whole state, so no setting ends them.
 */
const MAX_VALUES = 100_000;
const MAX_VALUES_OF_THREAD = 2000;
/** A run comes back to a checkpoint soon, or after it was read again. */
const MAX_CHECKPOINTS = 20_000;
/** Threads remembered without any chunk weigh little, but not nothing. */
const MAX_THREADS = 100_000;

class Thread implements ThreadKnowledge {
  readonly generation: string;
  readonly createdAt: string;
  chunks = new Map<ChunkId, CachedChunk | null>();
  /** What is below chunks, found once: a long list is read again and again, and is mostly the same. */
  runs = new Map<ChunkId, ChunkRun>();
  /** Channel to version. One for each: a fork that goes back and forth sends a value again. */
  readonly values = new Map<string, string>();
  bodyBytes = 0;
  constructor(generation: string, createdAt: string) {
    this.generation = generation;
    this.createdAt = createdAt;
  }
  has(id: ChunkId): boolean {
    return this.chunks.has(id);
  }
  hold(): ChunkSource {
    const { chunks, runs } = this;
    const get = (id: ChunkId): CachedChunk | undefined => chunks.get(id) ?? undefined;
    return {
      get,
      below(chunk) {
        const known = runs.get(chunk.id);
        if (known !== undefined || chunk.children === null) return known;
        const run = runOf(chunk.children, get);
        if (run !== undefined) runs.set(chunk.id, run);
        return run;
      },
    };
  }
  /** Others may be reading from the maps as they are. */
  dropBodies(): void {
    this.chunks = new Map([...this.chunks.keys()].map((id) => [id, null]));
    this.runs = new Map();
    this.bodyBytes = 0;
  }
  hasValue(value: ValueName): boolean {
    return this.values.get(channelKey(value)) === value.version;
  }
}

function runOf(
  ids: readonly ChunkId[],
  get: (id: ChunkId) => CachedChunk | undefined,
): ChunkRun | undefined {
  const chunks: CachedChunk[] = [];
  for (const id of ids) {
    const child = get(id);
    if (child === undefined) return undefined;
    chunks.push(child);
  }
  return { chunks, areLeaves: chunks.every(({ children }) => children === null) };
}

// Neither name holds NUL in its column.
function channelKey({ checkpoint_ns, channel }: ValueName): string {
  return `${checkpoint_ns}\0${channel}`;
}

/** `maxBytes` bounds ids and bodies together; 0 remembers no chunk at all. */
export function createKnowledge(maxBytes: number): KnowledgeStore {
  // A Map keeps insertion order: re-inserting on use makes its front the least recently used.
  const threads = new Map<string, Thread>();
  const origins = new Map<string, string>();
  let bytes = 0;
  let named = 0;

  const touch = (threadId: string): Thread | undefined => {
    const thread = threads.get(threadId);
    if (thread !== undefined && threads.size > 1) {
      threads.delete(threadId);
      threads.set(threadId, thread);
    }
    return thread;
  };

  const drop = (threadId: string): void => {
    const thread = threads.get(threadId);
    if (thread === undefined) return;
    bytes -= thread.bodyBytes + thread.chunks.size * ID_BYTES;
    named -= thread.values.size;
    threads.delete(threadId);
  };

  const evict = (): void => {
    // Bodies go first: a lost body costs a read, a lost id makes the next put send the chunk again.
    for (const thread of threads.values()) {
      if (bytes <= maxBytes) return;
      if (thread.bodyBytes === 0) continue;
      bytes -= thread.bodyBytes;
      thread.dropBodies();
    }
    for (const thread of threads.values()) {
      if (bytes <= maxBytes) return;
      bytes -= thread.chunks.size * ID_BYTES;
      thread.chunks = new Map();
    }
  };

  const clearValues = (thread: Thread): void => {
    named -= thread.values.size;
    thread.values.clear();
  };

  return {
    get: touch,
    learn(threadId, generation, createdAt) {
      const known = touch(threadId);
      if (known?.generation === generation) return known;
      drop(threadId);
      const thread = new Thread(generation, createdAt);
      threads.set(threadId, thread);
      if (threads.size > MAX_THREADS) drop(threads.keys().next().value as string);
      return thread;
    },
    remember(threadId, generation, chunks) {
      const thread = threads.get(threadId);
      if (maxBytes === 0 || thread?.generation !== generation) return;
      for (const [id, chunk] of chunks) {
        const known = thread.chunks.get(id);
        if (known) continue;
        if (known === undefined) bytes += ID_BYTES;
        thread.chunks.set(id, chunk);
        thread.bodyBytes += chunk.size;
        bytes += chunk.size;
      }
      if (bytes > maxBytes) evict();
    },
    rememberValues(threadId, generation, values) {
      const thread = threads.get(threadId);
      if (thread?.generation !== generation) return;
      for (const value of values) {
        if (thread.values.size === MAX_VALUES_OF_THREAD) clearValues(thread);
        const { size } = thread.values;
        thread.values.set(channelKey(value), value.version);
        named += thread.values.size - size;
      }
      // Those of half the values that were used longest ago: so rarely that its cost does not show.
      if (named <= MAX_VALUES) return;
      for (const one of threads.values()) {
        if (named <= MAX_VALUES / 2) return;
        clearValues(one);
      }
    },
    forget: drop,
    saw(threadId, checkpointId, createdAt) {
      const key = originKey(threadId, checkpointId);
      origins.delete(key);
      origins.set(key, createdAt);
      dropOldest(origins, MAX_CHECKPOINTS);
    },
    origin(threadId, checkpointIds) {
      for (const id of checkpointIds) {
        const createdAt = origins.get(originKey(threadId, id));
        if (createdAt !== undefined) return createdAt;
      }
      return undefined;
    },
    get bytes() {
      return bytes;
    },
  };
}

// A thread id holds no NUL.
function originKey(threadId: string, checkpointId: string): string {
  return `${threadId}\0${checkpointId}`;
}
