/** What a run did and what the saver promised it, kept outside the database. */
import { createHash } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import { getConfig } from "@langchain/langgraph";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "../../src/index.ts";

export type Entry =
  /** A task's function was called. */
  | { readonly event: "ran"; readonly task: string; readonly node: string }
  /** `put` was acknowledged. */
  | {
      readonly event: "put";
      readonly thread: string;
      readonly namespace: string;
      readonly id: string;
      readonly digest: string;
    }
  /** `putWrites` was acknowledged. */
  | {
      readonly event: "writes";
      readonly thread: string;
      readonly namespace: string;
      readonly id: string;
      readonly task: string;
      readonly channels: readonly string[];
    };

/** The moments around a saver's writes, for a process that is to die there. */
export type Moment = "before put" | "after put" | "before writes" | "after writes";

export interface Journal {
  add(entry: Entry): void;
  at?(moment: Moment): void;
}

/** For `GraphOptions.record`: notes the task that runs. */
export function recordIn(journal: Journal): (node: string) => void {
  return (node) => {
    const config = getConfig();
    const namespace = String(
      config.metadata?.langgraph_checkpoint_ns ?? config.configurable?.checkpoint_ns ?? "",
    );
    const task = /[0-9a-f-]{36}$/.exec(namespace)?.[0];
    if (task === undefined) throw new Error(`no task id in ${JSON.stringify(namespace)}`);
    journal.add({ event: "ran", task, node });
  };
}

/** The saver, noting what it acknowledges. */
export class JournalingSaver extends PostgresSaver {
  journal: Journal | undefined;

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const digest = digestOf(checkpoint);
    this.journal?.at?.("before put");
    const stored = await super.put(config, checkpoint, metadata, newVersions);
    this.journal?.at?.("after put");
    const { thread_id: thread, checkpoint_ns: namespace = "" } = config.configurable ?? {};
    this.journal?.add({ event: "put", thread, namespace, id: checkpoint.id, digest });
    return stored;
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    task: string,
    taskPath?: string,
  ): Promise<void> {
    this.journal?.at?.("before writes");
    await super.putWrites(config, writes, task, taskPath);
    this.journal?.at?.("after writes");
    const {
      thread_id: thread,
      checkpoint_ns: namespace = "",
      checkpoint_id: id,
    } = config.configurable ?? {};
    const channels = writes.map(([channel]) => channel);
    this.journal?.add({ event: "writes", thread, namespace, id, task, channels });
  }
}

/** A checkpoint's values as one short text. */
export function digestOf({ channel_values, channel_versions }: Checkpoint): string {
  const stored = Object.entries(channel_values).filter(([name]) =>
    Object.hasOwn(channel_versions, name),
  );
  // A Send comes back from every serializer without its class's own mark.
  const plain: unknown = JSON.parse(
    JSON.stringify(Object.fromEntries(stored), (key, value) =>
      key === "lg_name" ? undefined : value,
    ),
  );
  const text = JSON.stringify(inKeyOrder(plain));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function inKeyOrder(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(inKeyOrder);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, inKeyOrder(item)]),
  );
}
