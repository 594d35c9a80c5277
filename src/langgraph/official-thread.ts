/** One thread of the official package's, put here checkpoint by checkpoint. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import type { ChannelValue } from "../storage/channel-values.ts";
import { filterable } from "../storage/filter-metadata.ts";
import type { Writer } from "../storage/writer.ts";
import { deserialize } from "../values/codec.ts";
import { checkpointData } from "./checkpoint-rows.ts";
import { runIdOf } from "./config.ts";
import type { OfficialCheckpoint, OfficialPage, OfficialValue } from "./official-source.ts";
import { invalidSource } from "./official-tables.ts";

/** Puts the page's checkpoints in their order. `stored` remembers the values from page to page. */
export async function putPage(
  storage: Writer,
  threadId: string,
  page: OfficialPage,
  stored: Set<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const revived = createReviver(threadId);
  for (const one of page.checkpoints) {
    signal?.throwIfAborted();
    const { namespace, checkpointId, parentId } = one;
    const checkpoint = JSON.parse(one.checkpoint) as Checkpoint;
    const metadata = (await deserialize(one.metadata)) as CheckpointMetadata;
    const versions = checkpoint.channel_versions ?? {};
    const complete: ChannelValue[] = [];
    for (const [channel, version] of Object.entries(versions)) {
      const value = page.value(namespace, channel, version);
      if (value === undefined) continue;
      complete.push({
        channel,
        version,
        value: await revived(value, `channel ${JSON.stringify(channel)}`),
      });
    }
    const placeOf = ({ channel, version }: ChannelValue): string =>
      JSON.stringify([namespace, channel, version]);
    await storage.put({
      threadId,
      namespace,
      checkpointId,
      parentId,
      executionId: runIdOf({} as RunnableConfig, metadata),
      nodeName: null,
      version: Number.isInteger(metadata.step) ? metadata.step : null,
      channelVersions: versions,
      data: checkpointData({ ...checkpoint, id: checkpointId }, metadata),
      metadata: filterable(metadata),
      values: complete.filter((value) => !stored.has(placeOf(value))),
      complete,
    });
    for (const value of complete) stored.add(placeOf(value));
    await putPending(storage, threadId, one, revived);
  }
}

async function putPending(
  storage: Writer,
  threadId: string,
  { namespace, checkpointId, writes }: OfficialCheckpoint,
  revived: Revive,
): Promise<void> {
  for (const taskId of new Set(writes.map((write) => write.taskId))) {
    const own = writes.filter((write) => write.taskId === taskId);
    const values = [];
    for (const { idx, channel, ...value } of own) {
      values.push({ idx, channel, value: await revived(value, `pending write of ${taskId}`) });
    }
    // The official saver keeps no path, and orders by task: so does an empty one.
    await storage.putWrites({
      threadId,
      namespace,
      checkpointId,
      taskId,
      taskPath: "",
      writes: values,
    });
  }
}

type Revive = (value: OfficialValue, where: string) => Promise<unknown>;

/** Each stored value is revived once a page, however many checkpoints name it. */
function createReviver(threadId: string): Revive {
  const known = new Map<OfficialValue, unknown>();
  return async (value, where) => {
    if (known.has(value)) return known.get(value);
    const revived = await revive(value, `Thread ${JSON.stringify(threadId)}, ${where}`);
    known.set(value, revived);
    return revived;
  };
}

async function revive({ type, payload }: OfficialValue, where: string): Promise<unknown> {
  if (type === "json" && typeof payload === "string") {
    try {
      return await deserialize(payload);
    } catch (error) {
      throw invalidSource(`${where}: its JSON cannot be read.`, error);
    }
  }
  if (type === "bytes" && typeof payload !== "string") return payload;
  throw invalidSource(
    `${where} is of type ${JSON.stringify(type)}, which the official saver for JavaScript does not write: only JSON and bytes can be imported.`,
  );
}
