/** A floor: keeps references to what it is given and does nothing else, so its time is what LangGraph itself costs. */
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  copyCheckpoint,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { Peer } from "./peer.ts";

export const references: Peer = {
  name: "references",
  label: "floor: LangGraph alone",
  durable: false,
  open: async () => ({
    saver: new ReferenceSaver(),
    bytes: async () => undefined,
    close: async () => {},
  }),
};

/** Checkpoints of one namespace of one thread, oldest first. */
type Entries = Map<string, CheckpointTuple>;

class ReferenceSaver extends BaseCheckpointSaver {
  readonly #threads = new Map<string, Map<string, Entries>>();
  /** Writes may arrive before the checkpoint that they belong to. */
  readonly #writes = new Map<string, Map<string, [string, string, unknown]>>();

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { checkpoint_id: id } = config.configurable ?? {};
    const entries = this.#entries(config);
    const tuple = id === undefined ? [...entries.values()].at(-1) : entries.get(id);
    return tuple && this.#handOut(tuple);
  }

  override async *list(
    config: RunnableConfig,
    options: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    const newestFirst = [...this.#entries(config).values()].reverse();
    for (const tuple of newestFirst.slice(0, options.limit)) yield this.#handOut(tuple);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
  ): Promise<RunnableConfig> {
    const { checkpoint_id: parent, ...place } = config.configurable ?? {};
    const own = placed(config, checkpoint.id);
    this.#entries(config).set(checkpoint.id, {
      config: own,
      // LangGraph changes the one that it holds.
      checkpoint: copyCheckpoint(checkpoint),
      metadata,
      ...(parent === undefined
        ? {}
        : { parentConfig: { configurable: { ...place, checkpoint_id: parent } } }),
    });
    return own;
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
  ): Promise<void> {
    const key = writesKey(config);
    const kept = this.#writes.get(key) ?? new Map();
    this.#writes.set(key, kept);
    writes.forEach(([channel, value], index) => {
      kept.set(`${taskId} ${index}`, [taskId, channel, value]);
    });
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.#threads.delete(threadId);
  }

  #entries(config: RunnableConfig): Entries {
    const { thread_id: thread, checkpoint_ns: namespace = "" } = config.configurable ?? {};
    const namespaces = this.#threads.get(thread) ?? new Map<string, Entries>();
    const entries = namespaces.get(namespace) ?? new Map();
    this.#threads.set(thread, namespaces.set(namespace, entries));
    return entries;
  }

  #handOut(tuple: CheckpointTuple): CheckpointTuple {
    const writes = this.#writes.get(writesKey(tuple.config));
    return {
      ...tuple,
      checkpoint: copyCheckpoint(tuple.checkpoint),
      pendingWrites: [...(writes?.values() ?? [])],
    };
  }
}

function placed(config: RunnableConfig, id: string): RunnableConfig {
  const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
  return { configurable: { thread_id, checkpoint_ns, checkpoint_id: id } };
}

function writesKey(config: RunnableConfig): string {
  const { thread_id, checkpoint_ns = "", checkpoint_id } = config.configurable ?? {};
  return JSON.stringify([thread_id, checkpoint_ns, checkpoint_id]);
}
