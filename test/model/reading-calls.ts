/** Calls that look. */
import { isDeepStrictEqual } from "node:util";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { tuples } from "../contract/material.ts";
import { type Client, type Notes, namespaceFor, noting, type Setting } from "./client.ts";
import { type Event, type Model, type ModelCheckpoint, type Seen, seenOf } from "./oracle.ts";

/** What a tuple shows, once its values are those that were put. */
function look(
  record: Notes,
  { config, checkpoint, parentConfig, pendingWrites }: CheckpointTuple,
): Seen {
  const put = record.values.get(checkpoint.id);
  if (!isDeepStrictEqual(checkpoint.channel_values, put)) {
    throw new Error(`checkpoint ${checkpoint.id} has values that were never put with it`);
  }
  return {
    namespace: config.configurable?.checkpoint_ns,
    id: checkpoint.id,
    parent: parentConfig?.configurable?.checkpoint_id,
    writes: (pendingWrites ?? [])
      .map(([task, channel, value]) => `${task} ${channel} ${JSON.stringify(value)}`)
      .sort(),
  };
}

/** The model stays as it is if this is what it shows. */
function shows(expected: unknown, of: (model: Model) => unknown): Event["apply"] {
  return (model) => (isDeepStrictEqual(of(model), expected) ? model : undefined);
}

function latestOf(model: Model, namespace: string): ModelCheckpoint | undefined {
  return model.checkpoints.findLast((one) => one.namespace === namespace);
}

export async function getLatest(setting: Setting, client: Client, thread: string): Promise<void> {
  const namespace = namespaceFor(setting.random);
  await readOne(setting, client, thread, namespace, undefined);
}

export async function getById(setting: Setting, client: Client, thread: string): Promise<void> {
  const known = setting.record.known.get(thread) ?? [];
  if (known.length === 0) return;
  const { namespace, id } = setting.random.pick(known);
  await readOne(setting, client, thread, namespace, id);
}

/** Reads the checkpoint, or the latest, and stands there from now on. */
async function readOne(
  { record, ...setting }: Setting,
  client: Client,
  thread: string,
  namespace: string,
  id: string | undefined,
): Promise<void> {
  const configurable = { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: id };
  const tuple = await noting(
    { record, ...setting },
    thread,
    `get ${namespace} ${id ?? "latest"}`,
    () => client.saver.getTuple({ configurable }),
    (read) =>
      shows(read && look(record, read), (model) => {
        const one = id
          ? model.checkpoints.find((each) => each.id === id)
          : latestOf(model, namespace);
        return one && seenOf(model, one);
      }),
  );
  const place = JSON.stringify([thread, namespace]);
  if (tuple) client.heads.set(place, { config: tuple.config, checkpoint: tuple.checkpoint });
  else client.heads.delete(place);
}

export async function list(setting: Setting, client: Client, thread: string): Promise<void> {
  await noting(
    setting,
    thread,
    "list",
    () => tuples(client.saver, { configurable: { thread_id: thread } }),
    (found) =>
      shows(
        found.map((tuple) => look(setting.record, tuple)),
        (model) => model.checkpoints.map((one) => seenOf(model, one)).reverse(),
      ),
  );
}
