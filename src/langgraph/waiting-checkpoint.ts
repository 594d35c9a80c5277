/** A checkpoint that is not stored yet, and how the next one takes its place. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { type ChannelValue, type EncodedChannel, encodeAll } from "../storage/channel-values.ts";
import type { ChunkId, ValueCodec } from "../values/codec.ts";
import { channelValues } from "./checkpoint-rows.ts";
import { enclosingIdsOf, namespaceOf } from "./config.ts";

export interface WaitingCheckpoint {
  readonly namespace: string;
  readonly id: string;
  /** The last stored checkpoint that it comes from; undefined where it comes from none. */
  readonly parentId: string | undefined;
  /** The checkpoints of the graphs around its own, outermost first. */
  readonly within: readonly string[];
  readonly config: RunnableConfig;
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  /** The channels that changed since the parent. */
  readonly changed: ReadonlySet<string>;
  /** By channel: all values of the checkpoint, as they were when it was put. */
  readonly values: ReadonlyMap<string, EncodedChannel>;
  readonly writes: WaitingWrites[];
  /** On its way into the database: the next checkpoint is its child and does not replace it. */
  kept: boolean;
}

export interface WaitingWrites {
  readonly config: RunnableConfig;
  readonly taskId: string;
  readonly taskPath: string;
  /** A Promise only with a user's serializer. */
  readonly writes: readonly EncodedChannel[] | Promise<EncodedChannel[]>;
}

/** What a graph hands to `put`. */
export interface Put {
  readonly config: RunnableConfig;
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  readonly newVersions: ChannelVersions;
}

/** The checkpoint to wait, in the place of `replaced`, which is skipped. */
export function waitingCheckpoint(
  { config, checkpoint, metadata, newVersions }: Put,
  values: ReadonlyMap<string, EncodedChannel>,
  parentId: string | undefined,
  replaced: WaitingCheckpoint | undefined,
): WaitingCheckpoint {
  return {
    namespace: namespaceOf(config),
    id: checkpoint.id,
    parentId,
    within: enclosingIdsOf(config),
    config,
    checkpoint,
    metadata,
    changed: new Set([...(replaced?.changed ?? []), ...Object.keys(newVersions)]),
    values,
    writes: [],
    kept: false,
  };
}

/**
 * Takes down the checkpoint's values before it returns, unless a user's serializer is asynchronous:
 * the graph goes on and may change what it handed over. What is as in `before` is taken from there.
 */
export function freezeValues(
  codec: ValueCodec,
  checkpoint: Checkpoint,
  before: WaitingCheckpoint | undefined,
): Map<string, EncodedChannel> | Promise<Map<string, EncodedChannel>> {
  const frozen = new Map<string, EncodedChannel>();
  const fresh: ChannelValue[] = [];
  for (const one of channelValues(checkpoint, checkpoint.channel_versions)) {
    const known = before?.values.get(one.channel);
    if (known?.place.version === one.version) frozen.set(one.channel, known);
    else fresh.push(one);
  }
  const add = (encoded: readonly EncodedChannel[]): Map<string, EncodedChannel> => {
    for (const one of encoded) frozen.set(one.place.channel, one);
    return frozen;
  };
  const encoded = encodeAll(codec, fresh);
  return encoded instanceof Promise ? encoded.then(add) : add(encoded);
}

export function freezeWrites(
  codec: ValueCodec,
  writes: readonly PendingWrite[],
): EncodedChannel[] | Promise<EncodedChannel[]> {
  return encodeAll(
    codec,
    writes.map(([channel, value]) => ({ channel, value, version: 0 })),
  );
}

/** What to hand to the saver: a child of the last stored checkpoint, with all that changed since. */
export async function thawCheckpoint(
  codec: ValueCodec,
  { config, checkpoint, metadata, changed, parentId, values }: WaitingCheckpoint,
): Promise<Put> {
  const entries = [...values.values()].map(async (one) => [
    one.place.channel,
    await thaw(codec, one),
  ]);
  const versions = Object.entries(checkpoint.channel_versions);
  return {
    config: {
      ...config,
      configurable: { ...config.configurable, checkpoint_id: parentId, thread_ts: undefined },
    },
    checkpoint: { ...checkpoint, channel_values: Object.fromEntries(await Promise.all(entries)) },
    metadata,
    newVersions: Object.fromEntries(versions.filter(([channel]) => changed.has(channel))),
  };
}

export function thawWrites(
  codec: ValueCodec,
  writes: readonly EncodedChannel[],
): Promise<PendingWrite[]> {
  return Promise.all(
    writes.map(async (one): Promise<PendingWrite> => [one.place.channel, await thaw(codec, one)]),
  );
}

function thaw(codec: ValueCodec, { value }: EncodedChannel): unknown {
  const chunks = new Map<ChunkId, ReturnType<(typeof value.tree)[number]["cached"]>>();
  for (const chunk of value.tree) chunks.set(chunk.id, chunk.cached());
  return codec.decode(value, chunks);
}
