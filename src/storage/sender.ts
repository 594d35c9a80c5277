/** Sending a write until its thread takes it, or saying why it never will. */
import { randomUUID } from "node:crypto";
import type { Cipher } from "../encryption/cipher.ts";
import { ThreadConflictError } from "../errors.ts";
import type { Executor } from "../postgres/database.ts";
import type { Statement } from "../postgres/statement.ts";
import type { CachedChunk, ChunkId, ChunkSource } from "../values/codec.ts";
import { changedTooOften, MAX_ATTEMPTS } from "./attempts.ts";
import type { Remover } from "./remover.ts";
import { sealRows } from "./sealing.ts";
import { executeOne } from "./slices.ts";
import type { KnowledgeStore, ThreadKnowledge, ValueName } from "./thread-knowledge.ts";
import { bytesOf, type Traffic } from "./traffic.ts";
import type { Outcome, WriteOperation } from "./write-operation.ts";
import type { WriteQueue } from "./write-queue.ts";
import type { WriteStatements } from "./write-statements.ts";

export interface WriteOptions {
  /** Run there instead of in a statement of its own: the caller's transaction. */
  readonly executor?: Executor | undefined;
  /** With `executor`: takes what there is to do once the caller's transaction is committed. */
  readonly afterCommit?: ((learn: () => void) => void) | undefined;
  /** The fencing token of a lease; the write changes nothing unless the lease still holds. */
  readonly lease?: number | null | undefined;
  /** Read the thread first where nothing is known of it: the write needs to know whether it exists. */
  readonly findFirst?: boolean | undefined;
}

/** What to send to a thread. */
export interface Built {
  readonly operation: Omit<WriteOperation, "threadId" | "generation" | "lease" | "ttlMs">;
  /** The chunks that the operation sends, to be remembered as stored once they are. */
  readonly bodies: ReadonlyMap<ChunkId, CachedChunk>;
  /** Characters that need not be sent, because the thread has them. */
  readonly spared: number;
}

/** Where a write goes. */
export interface Target {
  readonly threadId: string;
  /** The checkpoint that is put, or whose pending writes are. */
  readonly checkpointId: string;
  /**
   * The checkpoints that the writer comes from. A write that comes from none may begin a thread; any
   * other belongs to the thread that they are in, and to no other that was begun under the same id.
   */
  readonly from: readonly string[];
}

/**
 * Sends what `build` makes of the thread as it is known, until the thread takes it. `stale` tells
 * `build` that the thread was pruned since the writer read it.
 */
export type Send = (
  target: Target,
  options: WriteOptions | undefined,
  build: (known: ThreadKnowledge | undefined, stale: boolean) => Built | Promise<Built>,
) => Promise<Outcome>;

export interface Sender {
  readonly send: Send;
  /** What is known of the thread; where the options ask for it, it is looked for. */
  find(
    threadId: string,
    options: WriteOptions | undefined,
  ): Promise<ThreadKnowledge | undefined> | ThreadKnowledge | undefined;
  /** Takes note of what a thread has taken, once that cannot be rolled back any more. */
  learn(threadId: string, outcome: Outcome, taken: Built): void;
  /**
   * Finds out why the thread did not take a write; returns where another try makes sense, which then
   * goes by what is known of the thread by now.
   */
  explainRefusal(
    target: Pick<Target, "threadId" | "from">,
    known: ThreadKnowledge | undefined,
    options: WriteOptions | undefined,
  ): Promise<void>;
}

export interface SenderParts {
  readonly database: Executor;
  readonly statements: WriteStatements;
  readonly reads: { readonly thread: Statement };
  readonly queue: Pick<WriteQueue, "submit">;
  readonly knowledge: KnowledgeStore;
  readonly remover: Remover;
  readonly traffic: Traffic;
  /** How long a thread lives after a write, in milliseconds. */
  readonly threadTtl: number | null;
  readonly cipher: Cipher | undefined;
}

const NOTHING: ChunkSource = { get: () => undefined };

export function createSender(parts: SenderParts): Sender {
  const { knowledge } = parts;

  /** Threads that a first write is on its way to; the next ones wait, to know what it finds or makes. */
  const beginning = new Map<string, Promise<unknown>>();

  const send: Send = async (target, options, build) => {
    const { threadId } = target;
    if (knowledge.get(threadId) !== undefined || options?.executor) {
      return sendKnown(target, options, build);
    }
    while (beginning.has(threadId)) await beginning.get(threadId);
    if (knowledge.get(threadId) !== undefined) return sendKnown(target, options, build);
    const sending = sendKnown(target, options, build);
    const settled = sending.then(
      () => beginning.delete(threadId),
      () => beginning.delete(threadId),
    );
    beginning.set(threadId, settled);
    return sending;
  };

  const sendKnown: Send = async (target, options, build) => {
    const { threadId, checkpointId } = target;
    let stale = false;
    for (let attempt = 1; ; attempt += 1) {
      const found = find(threadId, options);
      let known = found instanceof Promise ? await found : found;
      const origin = knowledge.origin(threadId, target.from);
      if (origin !== undefined) {
        // Also if it is refused: what comes after it belongs to that thread and to no other.
        knowledge.saw(threadId, checkpointId, origin);
        if (known?.createdAt !== origin) known = await findAgain(target, origin, options);
      }
      const built = build(known, stale);
      const taken = built instanceof Promise ? await built : built;
      const sealed = sealRows(parts.cipher, threadId, taken.operation);
      // One by one: in a graph of many small steps, spreading took more time than all else here.
      const full: WriteOperation = {
        kind: sealed.kind,
        threadId,
        generation: known?.generation ?? randomUUID(),
        lease: options?.lease ?? null,
        ttlMs: parts.threadTtl,
        chunks: sealed.chunks,
        values: sealed.values,
        checkpoint: sealed.checkpoint,
        writes: sealed.writes,
        floor: sealed.floor ?? null,
      };
      const outcome = options?.executor
        ? await executeOne(options.executor, parts.statements, full)
        : await parts.queue.submit(full);
      if (outcome) {
        // What a transaction wrote may still be rolled back, so nothing is learned from it before.
        const note = () => {
          learn(threadId, outcome, taken);
          knowledge.saw(threadId, checkpointId, outcome.createdAt);
        };
        if (options?.executor) options.afterCommit?.(note);
        else note();
        return outcome;
      }
      if (attempt === MAX_ATTEMPTS) throw changedTooOften(threadId, "written to");
      await explainRefusal(target, known, options);
      stale = true;
    }
  };

  /** The thread of the checkpoints that the writer comes from, which is not the one that is known. */
  const findAgain = async (
    { threadId }: Target,
    origin: string,
    options: WriteOptions | undefined,
  ): Promise<ThreadKnowledge> => {
    const thread = await readThread(threadId, options ?? {});
    if (thread?.createdAt === origin) return thread;
    throw deleted(threadId, thread ? "was deleted and begun anew" : "was deleted");
  };

  const find: Sender["find"] = (threadId, options) => {
    const known = knowledge.get(threadId);
    if (known !== undefined || (options?.lease == null && !options?.findFirst)) return known;
    return readThread(threadId, options);
  };

  const readThread = async (
    threadId: string,
    { executor, lease }: WriteOptions,
  ): Promise<ThreadKnowledge | undefined> => {
    const [row] = await (executor ?? parts.database).execute(parts.reads.thread, [threadId]);
    const [generation, createdAt] = row ?? [];
    if (generation == null || createdAt == null) {
      // A lease can only be proven on a thread that exists.
      if (lease == null) return undefined;
      throw new ThreadConflictError(
        `Thread ${JSON.stringify(threadId)} was deleted while its lease was held; nothing was written.`,
      );
    }
    if (executor === undefined) return knowledge.learn(threadId, generation, createdAt);
    // It may be the transaction itself that began the thread.
    return { generation, createdAt, has: () => false, hasValue: () => false, hold: () => NOTHING };
  };

  const learn = (
    threadId: string,
    { generation, createdAt }: Outcome,
    { operation, bodies, spared }: Built,
  ): void => {
    parts.traffic.bytesStored += bytesOf(operation);
    parts.traffic.bytesDeduplicated += spared;
    knowledge.learn(threadId, generation, createdAt);
    knowledge.remember(threadId, generation, bodies);
    knowledge.rememberValues(threadId, generation, operation.values as readonly ValueName[]);
  };

  /** Finds out why the thread did not take a write; returns where another try makes sense. */
  const explainRefusal = async (
    { threadId, from }: Pick<Target, "threadId" | "from">,
    known: ThreadKnowledge | undefined,
    options: WriteOptions | undefined,
  ): Promise<void> => {
    const executor = options?.executor ?? parts.database;
    const [row] = await executor.execute(parts.reads.thread, [threadId]);
    const expired = row !== undefined && row[2] !== "true";
    if (expired) await parts.remover.removeExpired(threadId, options?.executor);
    const alive = row !== undefined && !expired;
    if (alive && (known === undefined || row[1] === known.createdAt)) {
      if (row[0] === known?.generation && options?.lease != null) {
        throw new ThreadConflictError(
          `The lease on thread ${JSON.stringify(threadId)} was lost: it expired or another holder took the thread. Nothing was written.`,
        );
      }
      // Pruned, or chunks were collected: what was known to be stored may be gone.
      knowledge.learn(threadId, row[0] ?? "", row[1] ?? "");
      return;
    }
    if (known !== undefined && from.length > 0) {
      const what = expired ? "expired" : alive ? "was deleted and begun anew" : "was deleted";
      throw deleted(threadId, what);
    }
    knowledge.forget(threadId);
  };

  return { send, find, learn, explainRefusal };
}

function deleted(threadId: string, what: string): ThreadConflictError {
  return new ThreadConflictError(
    `Thread ${JSON.stringify(threadId)} ${what} while a run was writing to it; nothing was written. Start a new run to begin the thread anew.`,
  );
}
