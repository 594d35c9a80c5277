/** Checkpoints and configs made by hand, for what no graph would do. */
import { randomUUID } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  emptyCheckpoint,
  uuid6,
} from "@langchain/langgraph-checkpoint";

export const METADATA: CheckpointMetadata = { source: "loop", step: 0, parents: {} };

/** A thread that nothing else uses; it says in its id what it is for. */
export function threadConfig(purpose = "thread", namespace = ""): RunnableConfig {
  return { configurable: { thread_id: `${purpose} ${randomUUID()}`, checkpoint_ns: namespace } };
}

/** All of a thread, or one of its namespaces. */
export function configOf(threadId: string, namespace?: string): RunnableConfig {
  return {
    configurable: {
      thread_id: threadId,
      ...(namespace === undefined ? {} : { checkpoint_ns: namespace }),
    },
  };
}

export function threadOf(config: RunnableConfig): string {
  return config.configurable?.thread_id;
}

/** A checkpoint of these values, each at version 1 or at the version given. */
export function checkpointOf(
  values: Record<string, unknown>,
  versions: ChannelVersions = {},
  extra: Partial<Checkpoint> = {},
): Checkpoint {
  // hasOwn: a channel may be called "constructor".
  const versionOf = (channel: string) => (Object.hasOwn(versions, channel) ? versions[channel] : 1);
  const channels = Object.keys(values).map((channel) => [channel, versionOf(channel)]);
  return {
    ...emptyCheckpoint(),
    id: uuid6(3),
    channel_values: values,
    channel_versions: Object.fromEntries(channels),
    ...extra,
  };
}

/** Puts the checkpoint with all its values, as a child of the checkpoint that `config` names, if any. */
export function putAll(
  saver: BaseCheckpointSaver,
  config: RunnableConfig,
  checkpoint: Checkpoint,
  metadata: CheckpointMetadata = METADATA,
): Promise<RunnableConfig> {
  return saver.put(config, checkpoint, metadata, checkpoint.channel_versions);
}

/** A new thread with one checkpoint of these values; its config. */
export function putValues(
  saver: BaseCheckpointSaver,
  values: Record<string, unknown>,
  config: RunnableConfig = threadConfig(),
): Promise<RunnableConfig> {
  return putAll(saver, config, checkpointOf(values));
}

export async function tuples(
  saver: BaseCheckpointSaver,
  config: RunnableConfig,
  options?: Parameters<BaseCheckpointSaver["list"]>[1],
): Promise<CheckpointTuple[]> {
  const found: CheckpointTuple[] = [];
  for await (const tuple of saver.list(config, options)) found.push(tuple);
  return found;
}

export function idsOf(found: readonly CheckpointTuple[]): string[] {
  return found.map(({ checkpoint }) => checkpoint.id);
}
