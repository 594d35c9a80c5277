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
  type SerializerProtocol,
  WRITES_IDX_MAP,
} from "@langchain/langgraph-checkpoint";
import { InvalidConfigError } from "../errors.ts";
import { refuseUnknownKeys, SETTINGS, type StorageSettings } from "../options.ts";
import type { DbPool } from "../postgres/driver.ts";
import { createPool } from "../postgres/pool.ts";
import { filterable } from "../storage/filter-metadata.ts";
import { checkThreadId } from "../storage/names.ts";
import { openStorage, type Storage } from "../storage/storage.ts";
import { adopting } from "./adopting.ts";
import { channelValues, checkpointData, configOf, toTuple } from "./checkpoint-rows.ts";
import {
  checkpointIdOf,
  enclosingIdsOf,
  leaseOf,
  limitOf,
  namespaceOf,
  optionalNamespaceOf,
  optionalThreadIdOf,
  runIdOf,
  threadIdOf,
} from "./config.ts";
import { deltaHistories } from "./delta-channels.ts";
import { createForkPoints } from "./fork-points.ts";
import { withPendingSends } from "./pending-sends.ts";

/**
 * Keeps the checkpoints of any LangGraph.js graph in PostgreSQL. Every method is one round trip to
 * the server, two for a read whose state this process has not seen yet.
 *
 * A drop-in for `PostgresSaver` of `@langchain/langgraph-checkpoint-postgres`: change the import.
 * Its tables live in the schema `langgraph` unless told otherwise.
 *
 * @example
 * ```ts
 * import { PostgresSaver } from "langgraph-postgres";
 *
 * const checkpointer = PostgresSaver.fromConnString(process.env.DATABASE_URL);
 * await checkpointer.setup();
 * const graph = builder.compile({ checkpointer });
 * await graph.invoke(input, { configurable: { thread_id: "42" } });
 * await checkpointer.end();
 * ```
 */
export class PostgresSaver extends BaseCheckpointSaver<number> {
  readonly #storage: Storage;
  readonly #forks = createForkPoints();

  /**
   * @param pool A `pg.Pool` or anything that works like one. It stays yours: it is neither
   *   configured nor ended.
   * @param serde Replaces the serializer; its output is stored as it is, without sharing between
   *   versions. Default: JsonPlusSerializer's format.
   * @throws {InvalidOptionError} for unknown or impossible options.
   */
  constructor(pool: DbPool | Storage, serde?: SerializerProtocol, options: StorageSettings = {}) {
    super(serde);
    if ("deltaHistory" in pool) {
      this.#storage = pool;
      return;
    }
    refuseUnknownKeys(options, SETTINGS, "PostgresSaver");
    this.#storage = adopting(openStorage({ pool, owned: false, serde, settings: options }));
  }

  /**
   * A saver with a pool of its own, which {@link end} closes. Nothing is connected yet.
   *
   * @param connString `postgres://user:password@host:5432/database`, a Unix socket
   *   (`postgres:///database?host=/run/postgresql`), or several hosts. Where it is missing, the
   *   `PG*` variables say.
   * @throws {InvalidOptionError} for unknown or impossible options.
   */
  static fromConnString(
    connString: string | undefined,
    options: StorageSettings = {},
  ): PostgresSaver {
    refuseUnknownKeys(options, SETTINGS, "PostgresSaver.fromConnString");
    const pool = createPool(connString === undefined ? {} : { connString });
    return new PostgresSaver(adopting(openStorage({ pool, owned: true, settings: options })));
  }

  /** Creates the tables, or updates them. Call it once per deployment; calling it again does nothing. */
  async setup(): Promise<void> {
    await this.#storage.setup();
  }

  /** Waits for what is in flight, and ends the pool if {@link fromConnString} made it. */
  async end(): Promise<void> {
    await this.#storage.close();
  }

  /**
   * The checkpoint that `config` names, or the latest of its thread and namespace.
   *
   * @throws {InvalidConfigError} for an unusable `thread_id`; without any, the answer is undefined.
   * @throws {CorruptCheckpointError} where stored bytes are missing or are not what they were.
   * @throws {ThreadConflictError} where the thread was pruned five times while it was read: try again.
   */
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const threadId = optionalThreadIdOf(config);
    // A run without a thread has nothing stored; LangGraph's validation suite asks for that answer.
    if (threadId === undefined) return undefined;
    const namespace = namespaceOf(config);
    const checkpointId = checkpointIdOf(config);
    if (checkpointId !== undefined) this.#forks.add({ threadId, namespace, checkpointId });
    const stored = await this.#storage.read(threadId, namespace, checkpointId);
    return stored && this.#tuple(await toTuple(stored));
  }

  /**
   * Checkpoints, newest first, fetched page by page while they are consumed: of one thread, or of all
   * where `config` names none.
   *
   * @param options.limit How many at most; a whole number.
   * @param options.before Only checkpoints older than this one.
   * @param options.filter Metadata that a checkpoint must contain.
   */
  override async *list(
    config: RunnableConfig,
    options: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    const { before, filter } = options;
    const stored = this.#storage.list({
      threadId: optionalThreadIdOf(config),
      namespace: optionalNamespaceOf(config),
      checkpointId: checkpointIdOf(config),
      before: before && checkpointIdOf(before),
      filter: filter && Object.keys(filter).length > 0 ? filterable(filter) : undefined,
      limit: limitOf(options.limit),
    });
    for await (const one of stored) yield this.#tuple(await toTuple(one));
  }

  /**
   * Stores a checkpoint, visible whole or not at all, and makes it its namespace's latest. Only the
   * values whose versions are in `newVersions` are stored, and of them only what the thread does not
   * hold yet. Putting the same checkpoint again changes nothing.
   *
   * @throws {SerializationError} naming channel and path; nothing was written.
   * @throws {ThreadConflictError} where the thread was deleted while the run was going on.
   */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const threadId = threadIdOf(config);
    const namespace = namespaceOf(config);
    const versions = checkpoint.channel_versions ?? {};
    const parentId = checkpointIdOf(config) ?? null;
    await this.#storage.put(
      {
        threadId,
        namespace,
        checkpointId: checkpoint.id,
        parentId,
        within: enclosingIdsOf(config),
        executionId: runIdOf(config, metadata),
        nodeName: null,
        version: Number.isInteger(metadata.step) ? metadata.step : null,
        channelVersions: versions,
        data: checkpointData(checkpoint, metadata),
        metadata: filterable(metadata),
        values: channelValues(checkpoint, newVersions),
        complete: channelValues(checkpoint, versions),
      },
      {
        lease: leaseOf(config),
        onHead:
          this.#storage.settings.conflicts === "detect" &&
          parentId !== null &&
          !this.#forks.isFork({ threadId, namespace, checkpointId: parentId }, metadata),
      },
    );
    return configOf(threadId, namespace, checkpoint.id);
  }

  /**
   * Stores what a task wrote, under the checkpoint it ran from; may come before that checkpoint's
   * `put`. Writes on special channels (errors, interrupts, resumes) replace earlier ones, all others
   * are kept as they were first stored.
   *
   * @param taskPath Where the task stands in its step; pending writes come back in its order.
   */
  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    const threadId = threadIdOf(config);
    const checkpointId = checkpointIdOf(config);
    if (checkpointId === undefined) {
      throw new InvalidConfigError(
        "checkpoint_id is missing: pending writes belong to a checkpoint.",
      );
    }
    if (writes.length === 0) return;
    // One batch may say several things on a special channel (a task answered twice has two resumes):
    // the last is what counts, and one statement cannot write a row twice.
    const byIndex = new Map(
      writes.map(([channel, value], i) => {
        const idx = Object.hasOwn(WRITES_IDX_MAP, channel) ? (WRITES_IDX_MAP[channel] ?? i) : i;
        return [idx, { channel, value, idx }];
      }),
    );
    await this.#storage.putWrites(
      {
        threadId,
        namespace: namespaceOf(config),
        checkpointId,
        within: enclosingIdsOf(config),
        taskId,
        taskPath,
        writes: [...byIndex.values()],
      },
      { lease: leaseOf(config) },
    );
  }

  /** Removes a thread: checkpoints of all namespaces, values, pending writes. */
  override async deleteThread(threadId: string): Promise<void> {
    await this.#storage.remove(checkThreadId(threadId));
  }

  /** What DeltaChannels are rebuilt from, in two statements at most, however long the thread. */
  override getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    return deltaHistories(this.#storage, options.config, options.channels);
  }

  /**
   * The version after `current`: the next whole number and a random fraction, so that two branches
   * of a fork never share a version. Integers of other savers compare correctly with it.
   */
  override getNextVersion(current: number | undefined): number {
    // A saver of Python writes strings such as "00000000000000000000000000000003.0.81"; their number counts on.
    const number = typeof current === "number" ? current : Number.parseFloat(String(current ?? 0));
    const whole = Math.floor(number);
    return (Number.isFinite(whole) ? whole : 0) + 1 + Math.random();
  }

  #tuple(tuple: CheckpointTuple): CheckpointTuple | Promise<CheckpointTuple> {
    return withPendingSends(this.#storage, tuple, () => this.getNextVersion(undefined));
  }
}
