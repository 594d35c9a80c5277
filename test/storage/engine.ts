/** An engine on a fresh schema, and short ways to put and to look. */
import { randomUUID } from "node:crypto";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { StorageSettings } from "../../src/options.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import type { PutCheckpoint, PutWrites } from "../../src/storage/writer.ts";
import { type Backend, type OpenBackend, sqlOn } from "../support/backends.ts";

export interface Engine {
  readonly backend: OpenBackend;
  readonly storage: Storage;
  /** Another engine on the same tables, as another process would have: nothing is shared in memory. */
  another(settings?: StorageSettings): Storage;
  /** The same with a serializer of the user's. */
  withSerde(serde: SerializerProtocol): Storage;
  /** One statement of SQL; `T` stands for the schema-qualified checkpoint table's quoted name. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function openEngine(
  backend: Backend,
  settings: StorageSettings = {},
): Promise<Engine> {
  const open = await backend.open();
  const { pool, schema } = open;
  const another = (more: StorageSettings = {}): Storage =>
    openStorage({ pool, owned: false, settings: { schema, ...settings, ...more } });
  const storage = another();
  await storage.setup();
  return {
    backend: open,
    storage,
    another,
    withSerde: (serde) =>
      openStorage({ pool, owned: false, serde, settings: { schema, ...settings } }),
    sql: (text, values) => sqlOn(open, text, values),
    close: () => open.close(),
  };
}

let clock = 0;
/** An id that sorts after all earlier ones. */
function nextId(): string {
  clock += 1;
  return `1efc0000-0000-6000-8000-${clock.toString(16).padStart(12, "0")}`;
}

/** A checkpoint with one channel per value, every one of a fresh version. */
export function checkpoint(
  threadId: string,
  values: Readonly<Record<string, unknown>> = {},
  more: Partial<PutCheckpoint> = {},
): PutCheckpoint {
  const channelVersions = Object.fromEntries(
    Object.keys(values).map((channel) => [channel, 1 + Math.random()]),
  );
  const all = Object.entries(values).map(([channel, value]) => ({
    channel,
    version: channelVersions[channel] ?? 0,
    value,
  }));
  return {
    threadId,
    namespace: "",
    checkpointId: nextId(),
    parentId: null,
    executionId: null,
    nodeName: null,
    version: null,
    channelVersions,
    data: "{}",
    metadata: "{}",
    values: all,
    complete: all,
    ...more,
  };
}

/** A list that is large enough to become a tree. */
export function longList(length: number, seed: string = randomUUID()): string[] {
  return Array.from({ length }, (_, i) => `${seed} ${i} ${"x".repeat(280)}`);
}

/** A pending write of one value, or what `more` says. */
export const pendingWrite = (threadId: string, more: Partial<PutWrites> = {}): PutWrites => ({
  threadId,
  namespace: "",
  checkpointId: "c",
  taskId: "task",
  taskPath: "",
  writes: [{ idx: 0, channel: "x", value: 1 }],
  ...more,
});
