/** Putting checkpoints and pending writes: what LangGraph hands over becomes rows. */
import type { Cipher } from "../encryption/cipher.ts";
import type { ValueCodec } from "../values/codec.ts";
import type { Ahead } from "./ahead.ts";
import {
  type ChannelValue,
  type EncodedChannel,
  encodeAll,
  newChunks,
  valueColumns,
  versionsJson,
} from "./channel-values.ts";
import { checkName, encodeName, versionText } from "./names.ts";
import type { OnHead } from "./on-head.ts";
import { sealCheckpoint } from "./sealing.ts";
import type { Built, Send, WriteOptions } from "./sender.ts";
import type { ThreadKnowledge } from "./thread-knowledge.ts";

export interface PutCheckpoint {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  /** Checkpoints of other namespaces that the run is within: those of the graphs around a subgraph. */
  readonly within?: readonly string[];
  readonly executionId: string | null;
  readonly nodeName: string | null;
  readonly version: number | null;
  /** Channel to version, every channel of the checkpoint. */
  readonly channelVersions: Readonly<Record<string, string | number>>;
  /** What the reader wants back besides the values: JSON text. */
  readonly data: string;
  /** The copy of the metadata that filters look at: JSON text that `jsonb` accepts. */
  readonly metadata: string;
  /** The values to store: those of the versions that are new. */
  readonly values: readonly ChannelValue[];
  /**
   * Every value the checkpoint names, as far as the caller has them. Those that are not known to be
   * stored are stored too, so that the checkpoint is whole even if the thread was pruned meanwhile.
   */
  readonly complete: readonly ChannelValue[];
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
}

export interface PutWrites {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
  /** As in {@link PutCheckpoint}. */
  readonly within?: readonly string[];
  readonly taskId: string;
  readonly taskPath: string;
  readonly writes: readonly {
    readonly idx: number;
    readonly channel: string;
    readonly value: unknown;
  }[];
}

export interface PutOptions extends WriteOptions {
  /** Put only if the parent is still the latest of its namespace. */
  readonly onHead?: boolean;
}

export interface Writer {
  put(checkpoint: PutCheckpoint, options?: PutOptions): Promise<void>;
  putWrites(writes: PutWrites, options?: WriteOptions): Promise<void>;
}

export interface WriterParts {
  readonly codec: ValueCodec;
  readonly send: Send;
  readonly onHead: OnHead;
  /** How long a checkpoint lives, in milliseconds. */
  readonly checkpointTtl: number | null;
  readonly cipher: Cipher | undefined;
  readonly ahead?: Ahead | undefined;
}

export function createWriter(parts: WriterParts): Writer {
  const { codec, send, onHead, checkpointTtl, cipher, ahead } = parts;
  return {
    async put(checkpoint, options) {
      const { threadId, checkpointId, parentId, within = [] } = checkpoint;
      const from = parentId === null ? within : [parentId, ...within];
      const checkpoint_ns = checkName("checkpoint_ns", checkpoint.namespace);
      const row = sealCheckpoint(cipher, threadId, {
        checkpoint_ns,
        checkpoint_id: checkName("checkpoint_id", checkpoint.checkpointId),
        parent_id:
          checkpoint.parentId === null ? null : checkName("checkpoint_id", checkpoint.parentId),
        execution_id: checkpoint.executionId === null ? null : encodeName(checkpoint.executionId),
        node_name: checkpoint.nodeName === null ? null : encodeName(checkpoint.nodeName),
        version: checkpoint.version,
        channel_versions: versionsJson(checkpoint.channelVersions),
        data: checkpoint.data,
        metadata: checkpoint.metadata,
        expires_ms: checkpoint.expiresAt ?? null,
        ttl_ms: checkpointTtl,
      });
      const pending = encodeAll(codec, checkpoint.values);
      const encoded = pending instanceof Promise ? await pending : pending;
      const build = (
        known: ThreadKnowledge | undefined,
        values: readonly EncodedChannel[],
      ): Built => {
        const { rows, bodies, spared } = newChunks(values, known);
        return {
          bodies,
          spared,
          operation: {
            kind: known ? "putKnown" : "putUnknown",
            chunks: rows,
            values: values.map((one) => ({
              checkpoint_ns,
              version: versionText(one.place.version),
              ...valueColumns(one),
            })),
            checkpoint: row,
            writes: [],
          },
        };
      };
      const run = async (where: WriteOptions | undefined): Promise<void> => {
        await send({ threadId, checkpointId, from }, where, (known, stale) => {
          // A checkpoint that comes from none has nothing to count on but what it brings.
          const unsure = parentId !== null || stale ? uncertain(row, checkpoint, known) : [];
          if (unsure.length === 0) return build(known, encoded);
          const pending = encodeAll(codec, unsure);
          return pending instanceof Promise
            ? pending.then((rest) => build(known, encoded.concat(rest)))
            : build(known, encoded.concat(pending));
        });
      };
      await (options?.onHead ? onHead(checkpoint, options, run) : run(options));
      ahead?.put(
        threadId,
        checkpoint.namespace,
        encoded.map(({ place, value }) => ({ channel: place.channel, value })),
        checkpoint.complete,
      );
    },

    async putWrites(writes, options) {
      const { threadId } = writes;
      const checkpoint_ns = checkName("checkpoint_ns", writes.namespace);
      const checkpoint_id = checkName("checkpoint_id", writes.checkpointId);
      const task_id = checkName("task_id", writes.taskId);
      const task_path = checkName("task_path", writes.taskPath);
      const pending = encodeAll(
        codec,
        writes.writes.map(({ channel, value }) => ({ channel, value, version: 0 })),
      );
      const encoded = pending instanceof Promise ? await pending : pending;
      const from = [writes.checkpointId, ...(writes.within ?? [])];
      await send({ threadId, checkpointId: writes.checkpointId, from }, options, (known) => {
        const { rows, bodies, spared } = newChunks(encoded, known);
        return {
          bodies,
          spared,
          operation: {
            kind: known ? "writesKnown" : "writesUnknown",
            chunks: rows,
            values: [],
            checkpoint: null,
            writes: encoded.map((one, i) => ({
              checkpoint_ns,
              checkpoint_id,
              task_id,
              idx: writes.writes[i]?.idx ?? i,
              task_path,
              ...valueColumns(one),
            })),
          },
        };
      });
    },
  };
}

/**
 * What the checkpoint names besides the values it brings, and what is not known to be stored: the
 * thread was pruned since the writer read it, or nothing is remembered of it.
 */
function uncertain(
  { checkpoint_ns }: { readonly checkpoint_ns: string },
  { values, complete }: PutCheckpoint,
  known: ThreadKnowledge | undefined,
): ChannelValue[] {
  const brought = new Set(values.map(({ channel }) => channel));
  return complete.filter(
    ({ channel, version }) =>
      !brought.has(channel) &&
      !known?.hasValue({
        checkpoint_ns,
        channel: encodeName(channel),
        version: versionText(version),
      }),
  );
}
