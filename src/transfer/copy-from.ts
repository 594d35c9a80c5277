/** Copying threads from any LangGraph checkpointer, such as `MemorySaver`. */
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type BaseCheckpointSaver,
  type CheckpointTuple,
  compareWritesSortKeys,
  WRITES_IDX_MAP,
  writesSortKey,
} from "@langchain/langgraph-checkpoint";
import { channelValues, checkpointData, configOf } from "../langgraph/checkpoint-rows.ts";
import { runIdOf } from "../langgraph/config.ts";
import { refuseUnknownKeys } from "../options.ts";
import { countOption, threadIds } from "../retention/prune-options.ts";
import { filterable } from "../storage/filter-metadata.ts";
import type { Storage } from "../storage/storage.ts";
import { inParallel, type TransferOptions } from "./progress.ts";
import { createVersionKeeper, type VersionKeeper } from "./shared-versions.ts";

/** How threads are copied from another checkpointer. */
export interface CopyFromOptions extends TransferOptions {
  /** Threads at a time. Default 1. */
  readonly parallel?: number;
  /** Ends the work between two checkpoints; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What was copied. */
export interface CopyFromReport {
  /** Threads of which there was something to copy. */
  readonly threads: number;
  /** Checkpoints of all threads. */
  readonly checkpoints: number;
}

const OPTIONS = [
  "parallel",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof CopyFromOptions)[];

/**
 * Copies threads from another checkpointer, which is only read: checkpoints of all namespaces, oldest
 * first, with metadata and pending writes in their order. Unknown threads are passed over. It may be
 * stopped and repeated: putting the same checkpoint again changes nothing.
 *
 * @throws {SerializationError} naming channel and path of a value that cannot be stored.
 * @throws {InvalidConfigError} for ids that cannot be a thread's.
 *
 * @example
 * ```ts
 * const { threads, checkpoints } = await copyFrom(storage, new MemorySaver(), ["42"]);
 * ```
 */
export async function copyFrom(
  storage: Pick<Storage, "put" | "putWrites">,
  saver: BaseCheckpointSaver,
  threads: readonly string[],
  options: CopyFromOptions = {},
): Promise<CopyFromReport> {
  refuseUnknownKeys(options, OPTIONS, "copyFrom");
  const parallel = countOption(options.parallel ?? 1, "parallel");
  const { signal, onProgress } = options;
  const ids = threadIds(threads, "threads");
  const report = { threads: 0, checkpoints: 0 };
  let done = 0;
  await inParallel(ids, parallel, signal, async (threadId) => {
    const configs = await oldestFirst(saver, threadId);
    const versions = createVersionKeeper();
    for (const config of configs) {
      signal?.throwIfAborted();
      // One at a time: the whole history of a thread may be large.
      const tuple = await saver.getTuple(config);
      if (tuple) await copyCheckpoint(storage, threadId, tuple, versions);
    }
    if (configs.length > 0) report.threads += 1;
    report.checkpoints += configs.length;
    done += 1;
    onProgress?.({ threadId, done, total: ids.length, checkpoints: report.checkpoints });
  });
  return report;
}

async function oldestFirst(
  saver: BaseCheckpointSaver,
  threadId: string,
): Promise<RunnableConfig[]> {
  const found: { namespace: string; id: string }[] = [];
  for await (const { config, checkpoint } of saver.list({
    configurable: { thread_id: threadId },
  })) {
    found.push({
      namespace: config.configurable?.checkpoint_ns ?? "",
      id: config.configurable?.checkpoint_id ?? checkpoint.id,
    });
  }
  found.reverse();
  // By id puts namespaces in their order among each other, unless a machine's clock ran behind.
  const byId = [...found].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const orderIn = (list: typeof found): string =>
    JSON.stringify(
      Object.entries(Object.fromEntries(namespaces(list))).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  const ordered = orderIn(byId) === orderIn(found) ? byId : found;
  return ordered.map(({ namespace, id }) => configOf(threadId, namespace, id));
}

function namespaces(list: readonly { namespace: string; id: string }[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { namespace, id } of list) {
    const known = ids.get(namespace);
    if (known) known.push(id);
    else ids.set(namespace, [id]);
  }
  return ids;
}

async function copyCheckpoint(
  storage: Pick<Storage, "put" | "putWrites">,
  threadId: string,
  {
    config,
    checkpoint: original,
    metadata = {} as never,
    parentConfig,
    pendingWrites = [],
  }: CheckpointTuple,
  versions: VersionKeeper,
): Promise<void> {
  const namespace: string = config.configurable?.checkpoint_ns ?? "";
  const { checkpoint, newVersions } = versions.keep(namespace, original);
  const { channel_versions = {}, id: checkpointId } = checkpoint;
  const step: unknown = metadata.step;
  await storage.put({
    threadId,
    namespace,
    checkpointId,
    parentId: parentConfig?.configurable?.checkpoint_id ?? null,
    executionId: runIdOf({}, metadata),
    nodeName: null,
    version: Number.isInteger(step) ? (step as number) : null,
    channelVersions: channel_versions,
    data: checkpointData(checkpoint, metadata),
    metadata: filterable(metadata),
    values: channelValues(checkpoint, newVersions),
    complete: channelValues(checkpoint, channel_versions),
  });
  for (const { taskId, taskPath, writes } of tasksOf(pendingWrites)) {
    await storage.putWrites({ threadId, namespace, checkpointId, taskId, taskPath, writes });
  }
}

type Pending = NonNullable<CheckpointTuple["pendingWrites"]>;

/**
 * The writes by task. A tuple does not tell their paths, only the order that comes of them: where the
 * tasks' ids alone would give another one, paths are made that give this one.
 */
function tasksOf(pending: Pending) {
  const tasks = [...new Set(pending.map(([taskId]) => taskId))];
  const isSorted = tasks.every((task, i) => {
    const before = tasks[i - 1];
    return (
      before === undefined ||
      compareWritesSortKeys(writesSortKey("", before, 0), writesSortKey("", task, 0)) <= 0
    );
  });
  return tasks.map((taskId, place) => {
    const own = pending.filter(([task]) => task === taskId);
    // Special channels have one write each, by index; of several the last counts.
    const byIndex = new Map(
      own.map(([, channel, value], i) => {
        const idx = Object.hasOwn(WRITES_IDX_MAP, channel) ? (WRITES_IDX_MAP[channel] ?? i) : i;
        return [idx, { idx, channel, value }];
      }),
    );
    // "~" and a digit sort behind no path and before any that LangGraph makes ("~__pregel…").
    const taskPath = isSorted ? "" : `~${String(place).padStart(9, "0")}`;
    return { taskId, taskPath, writes: [...byIndex.values()] };
  });
}
