/** What waits to be stored, thread by thread. */
import { dropOldest } from "../drop-oldest.ts";
import { DatabaseError } from "../errors.ts";
import type { ValueCodec } from "../values/codec.ts";
import type { PostgresSaver } from "./saver.ts";
import {
  thawCheckpoint,
  thawWrites,
  type WaitingCheckpoint,
  type WaitingWrites,
} from "./waiting-checkpoint.ts";

export interface CheckpointName {
  readonly threadId: string;
  readonly namespace: string;
  readonly id: string | undefined;
}

export interface WaitingThreads {
  /** Whether the thread was written to within the last interval. */
  isOpen(threadId: string): boolean;
  find(name: CheckpointName): WaitingCheckpoint | undefined;
  /** The error, where the checkpoint was lost: it was not stored and never will be. */
  lost(name: CheckpointName): Error | undefined;
  lose(name: CheckpointName, error: Error): void;
  /** The checkpoint that stands for one that was skipped: its last stored ancestor, if it had any. */
  standsFor(name: CheckpointName): string | undefined;
  /** Has the checkpoint wait, in the place of the one that it replaces. */
  add(threadId: string, one: WaitingCheckpoint, replaced: WaitingCheckpoint | undefined): void;
  /** Stores what waits, in all namespaces or in one, after what is being stored already. */
  store(threadId: string, namespace?: string): Promise<void>;
  storeAll(): Promise<void>;
  /** The same, for nobody who waits: what fails is tried again, or its run is told by its next put. */
  storeInBackground(threadId: string): void;
  /** Forgets what waits in a thread; its runs get the error. Resolves when nothing is on its way. */
  drop(threadId: string, error: Error): Promise<void>;
}

interface Thread {
  /** In the order in which they were put. */
  readonly waiting: Map<string, WaitingCheckpoint>;
  storing: Promise<void> | undefined;
  readonly timer: NodeJS.Timeout;
}

/** How many checkpoints are remembered that were not stored. A run comes back to one soon or never. */
const MAX_REMEMBERED = 10_000;
/** What setInterval can count to. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @param interval Milliseconds between two times that a thread is stored. */
export function waitingThreads(
  saver: PostgresSaver,
  codec: ValueCodec,
  interval: number,
): WaitingThreads {
  const threads = new Map<string, Thread>();
  const skipped = new Map<string, string | undefined>();
  const lost = new Map<string, Error>();

  const open = (threadId: string): Thread => {
    const timer = setInterval(
      () => {
        if (thread.waiting.size > 0) storeInBackground(threadId);
        else if (thread.storing === undefined) close(threadId, thread);
      },
      Math.min(interval, LONGEST_TIMER),
    );
    timer.unref();
    const thread: Thread = { waiting: new Map(), storing: undefined, timer };
    threads.set(threadId, thread);
    return thread;
  };

  const close = (threadId: string, thread: Thread): void => {
    clearInterval(thread.timer);
    threads.delete(threadId);
  };

  const skip = (threadId: string, { waiting }: Thread, one: WaitingCheckpoint): void => {
    const key = keyOf({ threadId, ...one });
    waiting.delete(key);
    remember(skipped, key, one.parentId);
    for (const [key, inner] of waiting) {
      // A graph that keeps its state from task to task has no task's id in its namespace.
      const isOfTask = inner.namespace.includes(":");
      if (isOfTask && inner.within.includes(one.id) && !inner.kept) waiting.delete(key);
    }
  };

  const loseAll = (thread: Thread, error: Error): void => {
    for (const key of thread.waiting.keys()) remember(lost, key, error);
    thread.waiting.clear();
  };

  const store = async (threadId: string, namespace?: string): Promise<void> => {
    const thread = threads.get(threadId);
    if (thread === undefined) return;
    const wanted = (): [string, WaitingCheckpoint][] =>
      [...thread.waiting].filter(([, one]) => one.namespace === (namespace ?? one.namespace));
    if (wanted().length === 0) return;
    while (thread.storing !== undefined) await thread.storing;
    const taken = wanted();
    for (const [, one] of taken) one.kept = true;
    thread.storing = storeEach(thread, taken).finally(() => {
      thread.storing = undefined;
    });
    await thread.storing;
  };

  const storeEach = async (
    thread: Thread,
    taken: readonly [string, WaitingCheckpoint][],
  ): Promise<void> => {
    try {
      for (const [key, one] of taken) {
        if (!thread.waiting.has(key)) continue;
        const { config, checkpoint, metadata, newVersions } = await thawCheckpoint(codec, one);
        await saver.put(config, checkpoint, metadata, newVersions);
        // More may come while these are on their way.
        for (let done = 0; done < one.writes.length; ) {
          const batch = one.writes.slice(done);
          done = one.writes.length;
          await Promise.all(batch.map(storeWrites));
        }
        thread.waiting.delete(key);
      }
    } catch (error) {
      // The database may be back for the next try; for all else there is none.
      if (!(error instanceof DatabaseError)) loseAll(thread, error as Error);
      throw error;
    }
  };

  const storeWrites = async ({ config, taskId, taskPath, writes }: WaitingWrites): Promise<void> =>
    saver.putWrites(config, await thawWrites(codec, await writes), taskId, taskPath);

  const storeInBackground = (threadId: string): void => void store(threadId).catch(() => {});

  return {
    isOpen: (threadId) => threads.has(threadId),
    find: (name) => threads.get(name.threadId)?.waiting.get(keyOf(name)),
    lost: (name) => lost.get(keyOf(name)),
    lose: (name, error) => remember(lost, keyOf(name), error),
    standsFor(name) {
      const key = keyOf(name);
      return skipped.has(key) ? skipped.get(key) : name.id;
    },
    add(threadId, one, replaced) {
      const thread = threads.get(threadId) ?? open(threadId);
      if (replaced) skip(threadId, thread, replaced);
      thread.waiting.set(keyOf({ threadId, ...one }), one);
    },
    store,
    async storeAll() {
      const outcomes = await Promise.allSettled([...threads.keys()].map((id) => store(id)));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    },
    storeInBackground,
    async drop(threadId, error) {
      const thread = threads.get(threadId);
      if (thread === undefined) return;
      loseAll(thread, error);
      close(threadId, thread);
      await thread.storing?.catch(() => {});
    },
  };
}

function keyOf({ threadId, namespace, id }: CheckpointName): string {
  return JSON.stringify([threadId, namespace, id]);
}

function remember<V>(memory: Map<string, V>, key: string, value: V): void {
  memory.set(key, value);
  dropOldest(memory, MAX_REMEMBERED);
}
