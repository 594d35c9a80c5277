/** DeltaChannels keep no value of their own: LangGraph rebuilds it from a seed and the writes since. */
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  compareWritesSortKeys,
  type DeltaChannelHistory,
  writesSortKey,
} from "@langchain/langgraph-checkpoint";
import type { ChannelHistory } from "../storage/delta-history.ts";
import type { Storage } from "../storage/storage.ts";
import { checkpointIdOf, namespaceOf, threadIdOf } from "./config.ts";

export async function deltaHistories(
  storage: Pick<Storage, "deltaHistory">,
  config: RunnableConfig,
  channels: readonly string[],
): Promise<Record<string, DeltaChannelHistory>> {
  if (channels.length === 0) return {};
  const key = {
    threadId: threadIdOf(config),
    namespace: namespaceOf(config),
    checkpointId: checkpointIdOf(config),
  };
  const histories = await storage.deltaHistory(key, channels);
  return Object.fromEntries(channels.map((name) => [name, toHistory(histories.get(name))]));
}

/** Writes from the oldest ancestor to the parent, within one as a live run applies them. */
function toHistory(history: ChannelHistory | undefined): DeltaChannelHistory {
  const writes = [...(history?.writes ?? [])].sort(
    (a, b) =>
      b.depth - a.depth ||
      compareWritesSortKeys(
        writesSortKey(a.taskPath, a.taskId, a.idx),
        writesSortKey(b.taskPath, b.taskId, b.idx),
      ),
  );
  return {
    writes: writes.map(({ taskId, channel, value }) => [taskId, channel, value]),
    ...(history?.seed ? { seed: history.seed.value } : {}),
  };
}
