/** A LangGraph checkpoint as the engine stores it, and back. */
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  compareWritesSortKeys,
  writesSortKey,
} from "@langchain/langgraph-checkpoint";
import type { ChannelValue } from "../storage/channel-values.ts";
import type { StoredCheckpoint, StoredWrite } from "../storage/reader.ts";
import { readData } from "../storage/stored-data.ts";
import { serialize } from "../values/codec.ts";

/** What `checkpoint_data` holds: the checkpoint without what has columns and rows of its own. */
interface CheckpointData {
  readonly checkpoint: Record<string, unknown>;
  readonly metadata: CheckpointMetadata;
}

/** JSON text of everything that must come back as it was, besides channel values and versions. */
export function checkpointData(checkpoint: Checkpoint, metadata: CheckpointMetadata): string {
  const { id: _, channel_values: __, channel_versions: ___, ...rest } = checkpoint;
  return serialize({ checkpoint: rest, metadata }, `checkpoint ${checkpoint.id}`);
}

/** The values whose versions are in `versions`; a channel without a value has none to store. */
export function channelValues(
  checkpoint: Checkpoint,
  versions: Readonly<Record<string, string | number>>,
): ChannelValue[] {
  const values = checkpoint.channel_values ?? {};
  const found: ChannelValue[] = [];
  for (const [channel, version] of Object.entries(versions)) {
    const value = Object.hasOwn(values, channel) ? values[channel] : undefined;
    if (value !== undefined) found.push({ channel, version, value });
  }
  return found;
}

/** `configurable` is all that identifies a checkpoint. */
export function configOf(
  threadId: string,
  namespace: string,
  checkpointId: string,
): RunnableConfig {
  return {
    configurable: {
      thread_id: threadId,
      checkpoint_ns: namespace,
      checkpoint_id: checkpointId,
    },
  };
}

export async function toTuple(stored: StoredCheckpoint): Promise<CheckpointTuple> {
  const { threadId, namespace, checkpointId, parentId } = stored;
  const { checkpoint, metadata } = (await readData(stored)) as CheckpointData;
  return {
    config: configOf(threadId, namespace, checkpointId),
    checkpoint: {
      // Checkpoints of old savers may lack any of these.
      v: 1,
      ts: "",
      versions_seen: {},
      ...checkpoint,
      id: checkpointId,
      channel_versions: stored.channelVersions,
      // fromEntries defines own properties, so that a channel named __proto__ stays one.
      channel_values: Object.fromEntries(stored.values),
    } as Checkpoint,
    metadata,
    pendingWrites: inOrder(stored.writes).map(({ taskId, channel, value }) => [
      taskId,
      channel,
      value,
    ]),
    ...(parentId === null ? {} : { parentConfig: configOf(threadId, namespace, parentId) }),
  };
}

/** In the order in which a live run applies a step's writes; the database's collations do not know it. */
export function inOrder<W extends StoredWrite>(writes: readonly W[]): W[] {
  const key = (write: W) => writesSortKey(write.taskPath, write.taskId, write.idx);
  return [...writes].sort((a, b) => compareWritesSortKeys(key(a), key(b)));
}
