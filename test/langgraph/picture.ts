/**
 * A picture of a thread: everything that a saver holds of it and everything that a graph sees of it, with the
 * things that differ between any two runs (ids, times, version fractions) replaced by what they stand for.
 * Two savers that took the same run have equal pictures.
 */
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointTuple,
  isDeltaSnapshot,
} from "@langchain/langgraph-checkpoint";
import type { TestGraph } from "./graphs/graph.ts";

/** UUIDs (checkpoints, tasks, messages) and interrupt ids (32 hex digits). */
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/g;
const NULL_ID = "00000000-0000-0000-0000-000000000000";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Replaces text, called for every string of a picture, keys too. */
type Rename = (text: string) => string;

const blank: Rename = (text) => text.replace(ID, (id) => (id === NULL_ID ? id : "#"));

/** Gives ids numbers in the order in which they are met, so that equal structure means equal numbers. */
function numbering(): Rename {
  const numbers = new Map<string, number>([[NULL_ID, 0]]);
  return (text) =>
    text.replace(ID, (id) => {
      const number = numbers.get(id) ?? numbers.size;
      numbers.set(id, number);
      return `#${number}`;
    });
}

/** The value as plain data: classes named, Maps and Sets listed, every string renamed. */
function plain(value: unknown, rename: Rename): unknown {
  if (typeof value === "string") return TIME.test(value) ? "a time" : rename(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => plain(item, rename));
  if (value instanceof Uint8Array) return { $bytes: Array.from(value) };
  if (value instanceof Map || value instanceof Set) {
    return { $class: value.constructor.name, $items: plain([...value], rename) };
  }
  const fields = Object.entries(value).map(([key, item]) => [rename(key), plain(item, rename)]);
  const name = value.constructor?.name ?? "Object";
  return name === "Object"
    ? Object.fromEntries(fields)
    : { $class: name, ...Object.fromEntries(fields) };
}

const byJson = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Versions are integers in one saver and have a random fraction in another; the integer part is the step in both. */
function floors(versions: unknown): unknown {
  if (typeof versions === "number") return Math.floor(versions);
  if (typeof versions !== "object" || versions === null) return versions;
  return Object.fromEntries(Object.entries(versions).map(([key, item]) => [key, floors(item)]));
}

/**
 * The values as a saver that stores by version has them.
 *
 * - Those without a version were never written (they are the channels' defaults); `MemorySaver` keeps them all the same.
 * - A DeltaChannel's snapshot belongs to a version, so every checkpoint with that version has it; in `MemorySaver`
 *   only the one that it was put with. Either way the channel has one value, and histories compare that.
 */
function valuesByVersion(
  { channel_values, channel_versions }: Checkpoint,
  parent: Checkpoint | undefined,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(channel_values).filter(([channel, value]) => {
      const version = channel_versions[channel];
      const inherited = version === parent?.channel_versions[channel];
      return version !== undefined && !(inherited && isDeltaSnapshot(value));
    }),
  );
}

function storedTuple(
  { config, checkpoint, metadata, parentConfig, pendingWrites = [] }: CheckpointTuple,
  parent: CheckpointTuple | undefined,
): { readonly id: string } & Record<string, unknown> {
  return {
    id: config.configurable?.checkpoint_id,
    parent: parentConfig?.configurable?.checkpoint_id,
    parentNamespace: parentConfig?.configurable?.checkpoint_ns,
    metadata,
    checkpoint: {
      ...checkpoint,
      channel_values: valuesByVersion(checkpoint, parent?.checkpoint),
      channel_versions: floors(checkpoint.channel_versions),
      versions_seen: floors(checkpoint.versions_seen),
    },
    // Answers to interrupts carry no task path, so their order is that of random ids and means nothing.
    pendingWrites: pendingWrites.filter(([, channel]) => channel !== "__resume__"),
    resumes: pendingWrites.filter(([, channel]) => channel === "__resume__"),
  };
}

interface Namespace {
  readonly namespace: string;
  readonly tuples: readonly { readonly id: string }[];
}

/** What the saver holds of the thread, by namespace, oldest first. */
async function storedNamespaces(saver: BaseCheckpointSaver, thread: string): Promise<Namespace[]> {
  const byNamespace = new Map<string, CheckpointTuple[]>();
  for await (const tuple of saver.list({ configurable: { thread_id: thread } })) {
    const namespace: string = tuple.config.configurable?.checkpoint_ns ?? "";
    byNamespace.set(namespace, [tuple, ...(byNamespace.get(namespace) ?? [])]);
  }
  return Array.from(byNamespace, ([namespace, tuples]) => {
    const byId = new Map(tuples.map((tuple) => [tuple.checkpoint.id, tuple]));
    const parentOf = ({ parentConfig }: CheckpointTuple) =>
      byId.get(parentConfig?.configurable?.checkpoint_id);
    return { namespace, tuples: tuples.map((tuple) => storedTuple(tuple, parentOf(tuple))) };
  });
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** Everything there is to know of `thread`, as plain data that `toStrictEqual` can compare. */
export async function picture(
  graph: TestGraph,
  saver: BaseCheckpointSaver,
  thread: string,
): Promise<unknown> {
  const config: RunnableConfig = { configurable: { thread_id: thread } };
  const namespaces = await storedNamespaces(saver, thread);
  // Savers list namespaces in any order, and their names hold random task ids: order them by what they hold, and where
  // that is the same (a subgraph that ran twice), by the time that their checkpoints' ids begin with.
  const shown = new Map(namespaces.map((one) => [one, JSON.stringify(plain(one, blank))]));
  const keyOf = (one: Namespace): string => `${shown.get(one)} ${one.tuples[0]?.id}`;
  namespaces.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const rename = numbering();
  const stored = plain(namespaces, rename) as { tuples: { resumes: unknown[] }[] }[];
  for (const tuple of stored.flatMap(({ tuples }) => tuples)) tuple.resumes.sort(byJson);
  return {
    stored,
    history: plain(await collect(graph.getStateHistory(config)), rename),
    state: plain(await graph.getState(config, { subgraphs: true }), rename),
  };
}
