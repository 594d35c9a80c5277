import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
  WRITES_IDX_MAP,
} from "@langchain/langgraph-checkpoint";
import { dropOldest } from "../drop-oldest.ts";
import { ThreadConflictError } from "../errors.ts";
import { checkThreadId } from "../storage/names.ts";
import { createValueCodec, type ValueCodec } from "../values/codec.ts";
import { configOf } from "./checkpoint-rows.ts";
import {
  checkpointIdOf,
  namespaceOf,
  optionalNamespaceOf,
  optionalThreadIdOf,
  threadIdOf,
} from "./config.ts";
import { hasDeltaChannels, hasNextTasks } from "./run-end.ts";
import type { PostgresSaver } from "./saver.ts";
import { freezeValues, freezeWrites, waitingCheckpoint } from "./waiting-checkpoint.ts";
import { type CheckpointName, type WaitingThreads, waitingThreads } from "./waiting-threads.ts";

/**
 * A checkpointer that stores a thread at most once in every interval, and at once where a run ends,
 * fails or asks a human. The checkpoints in between are skipped as if they had never been: what is
 * stored names the last stored one as its parent. Made by `store.checkpointerWith`.
 *
 * - The first checkpoint after a pause of an interval is stored at once, the newest of the others when
 *   the interval is over. Pending writes are stored with their checkpoint, those of one that is stored
 *   already at once; those of one that is skipped are dropped with it.
 * - What is read is stored first: a caller never sees a state that a crash could take back.
 * - The end of a run is seen in its last checkpoint, `interrupt()` and errors in their pending writes.
 *   A run that ends otherwise (`interruptBefore`, `interruptAfter`, a recursion limit, an abort) is
 *   stored when the interval is over, or by {@link flush}, or by whatever reads it.
 * - After a crash a thread goes on from its last stored checkpoint: up to an interval of finished
 *   steps may run again.
 * - Graphs with a DeltaChannel are stored step by step, as without an interval.
 *
 * @example
 * ```ts
 * const checkpointer = store.checkpointerWith({ checkpointInterval: "5s" });
 * const graph = builder.compile({ checkpointer });
 * for await (const chunk of await graph.stream(input, config)) console.log(chunk);
 * ```
 */
export class CoalescingSaver extends BaseCheckpointSaver<number> {
  readonly #saver: PostgresSaver;
  readonly #codec: ValueCodec;
  readonly #threads: WaitingThreads;
  /** Checkpoints whose writes were stored before they came themselves: they must not be skipped. */
  readonly #written = new Set<string>();

  /**
   * @param saver Stores what is not skipped.
   * @param interval Milliseconds.
   */
  constructor(saver: PostgresSaver, interval: number) {
    super(saver.serde);
    this.#saver = saver;
    this.#codec = createValueCodec({ serde: saver.serde });
    this.#threads = waitingThreads(saver, this.#codec, interval);
  }

  /**
   * Stores everything that waits, of one thread or of all, and resolves once it is stored. Call it
   * before the process ends; `store.close()` does.
   *
   * @throws what storing throws. After a {@link DatabaseError} it still waits, and is tried again.
   */
  flush(threadId?: string): Promise<void> {
    return threadId === undefined ? this.#threads.storeAll() : this.#threads.store(threadId);
  }

  /** Creates the tables, or updates them. */
  setup(): Promise<void> {
    return this.#saver.setup();
  }

  /** Stores everything that waits, and ends the store that made this checkpointer. */
  async end(): Promise<void> {
    await this.flush();
    await this.#saver.end();
  }

  /** The checkpoint that `config` names, or the latest of its thread and namespace; what waits is stored first. */
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const threadId = optionalThreadIdOf(config);
    if (threadId !== undefined) await this.#threads.store(threadId, namespaceOf(config));
    return this.#saver.getTuple(config);
  }

  /** Checkpoints, newest first; what waits is stored first. */
  override async *list(
    config: RunnableConfig,
    options?: CheckpointListOptions,
  ): AsyncGenerator<CheckpointTuple> {
    const threadId = optionalThreadIdOf(config);
    if (threadId === undefined) await this.#threads.storeAll();
    else await this.#threads.store(threadId, optionalNamespaceOf(config));
    yield* this.#saver.list(config, options);
  }

  /** Stores the checkpoint now or, unless a newer one comes, when the interval is over. */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const from = nameOf(config);
    const { threadId, namespace } = from;
    if (hasDeltaChannels(checkpoint, metadata)) {
      await this.#threads.store(threadId);
      return this.#saver.put(config, checkpoint, metadata, newVersions);
    }
    this.#refuseLost(from, checkpoint.id);
    const before = this.#threads.find(from);
    const frozen = freezeValues(this.#codec, checkpoint, before);
    const values = frozen instanceof Map ? frozen : await frozen;
    const replaced = before?.kept ? undefined : before;
    const parentId = replaced ? replaced.parentId : this.#threads.standsFor(from);
    const put = { config, checkpoint, metadata, newVersions };
    const isFirst = !this.#threads.isOpen(threadId);
    const one = waitingCheckpoint(put, values, parentId, replaced);
    this.#threads.add(threadId, one, replaced);

    // A caller of updateState waits for an answer; of a run, only the last put does.
    const isLast = namespace === "" && !hasNextTasks(checkpoint);
    const isSplit = this.#written.delete(textOf({ threadId, ...one }));
    if (isLast || isSplit || metadata.source === "update") await this.#threads.store(threadId);
    else if (isFirst) this.#threads.storeInBackground(threadId);
    return configOf(threadId, namespace, checkpoint.id);
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    const name = nameOf(config);
    this.#refuseLost(name, name.id);
    const waiting = this.#threads.find(name);
    if (waiting === undefined) {
      this.#noteWritten(name);
      return this.#saver.putWrites(config, writes, taskId, taskPath);
    }
    const frozen = freezeWrites(this.#codec, writes);
    waiting.writes.push({ config, taskId, taskPath, writes: frozen });
    await frozen;
    // An error, an interrupt, an answer to one: the run may end here, and nothing else would say so.
    if (writes.some(([channel]) => Object.hasOwn(WRITES_IDX_MAP, channel))) {
      await this.#threads.store(name.threadId);
    }
  }

  override async deleteThread(threadId: string): Promise<void> {
    const why = `Thread ${JSON.stringify(threadId)} was deleted while a run was writing to it; nothing was written. Start a new run to begin the thread anew.`;
    await this.#threads.drop(checkThreadId(threadId), new ThreadConflictError(why));
    await this.#saver.deleteThread(threadId);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { threadId, namespace } = nameOf(options.config);
    await this.#threads.store(threadId, namespace);
    return this.#saver.getDeltaChannelHistory(options);
  }

  override getNextVersion(current: number | undefined): number {
    return this.#saver.getNextVersion(current);
  }

  /** What comes after a lost checkpoint is lost too. */
  #refuseLost(from: CheckpointName, id: string | undefined): void {
    const error = this.#threads.lost(from);
    if (error === undefined) return;
    this.#threads.lose({ ...from, id }, error);
    throw error;
  }

  #noteWritten(name: CheckpointName): void {
    this.#written.add(textOf(name));
    dropOldest(this.#written, MAX_WRITTEN);
  }
}

/** A checkpoint comes soon after its writes, or has come long ago. */
const MAX_WRITTEN = 1000;

/** The checkpoint that the config names: the parent of what is put, or that which writes belong to. */
function nameOf(config: RunnableConfig): CheckpointName {
  const id = checkpointIdOf(config);
  return { threadId: threadIdOf(config), namespace: namespaceOf(config), id };
}

function textOf({ threadId, namespace, id }: CheckpointName): string {
  return JSON.stringify([threadId, namespace, id]);
}
