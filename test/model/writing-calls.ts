/** Calls that put checkpoints and pending writes. */
import { checkpointOf, METADATA } from "../contract/material.ts";
import type { Random } from "../torture/random.ts";
import { type Client, type Notes, namespaceFor, noting, type Setting } from "./client.ts";
import { type ModelCheckpoint, placeOf } from "./oracle.ts";

/** Few texts, so that checkpoints of all clients share their chunks, and removing some must spare the others'. */
const TEXTS = Array.from({ length: 14 }, (_, i) => `${i} `.repeat(160));

export async function putNext(
  setting: Setting,
  client: Client,
  thread: string,
  anew = false,
): Promise<void> {
  const { random, record } = setting;
  const namespace = namespaceFor(random);
  const place = JSON.stringify([thread, namespace]);
  const head = anew ? undefined : client.heads.get(place);
  const values: { [channel: string]: unknown } = { ...head?.checkpoint.channel_values };
  const versions = { ...head?.checkpoint.channel_versions };
  const changed = random.pick([["list"], ["n"], ["list", "n"], ["files"]]);
  for (const channel of head ? changed : ["list", "n", "files"]) {
    values[channel] = nextValue(random, channel, values[channel]);
    versions[channel] = client.saver.getNextVersion(versions[channel] as number | undefined);
  }
  const checkpoint = checkpointOf(values, versions);
  const newVersions = Object.fromEntries(changed.map((one) => [one, versions[one] as number]));
  const config = head?.config ?? { configurable: { thread_id: thread, checkpoint_ns: namespace } };
  const parent: string | undefined = config.configurable?.checkpoint_id;
  record.values.set(checkpoint.id, values);
  know(record, thread, namespace, checkpoint.id);
  const put: ModelCheckpoint = { namespace, id: checkpoint.id, parent };
  const stored = await noting(
    setting,
    thread,
    `put ${checkpoint.id}`,
    () => client.saver.put(config, checkpoint, METADATA, head ? newVersions : versions),
    () => (model) => ({ ...model, checkpoints: [...model.checkpoints, put] }),
  );
  if (stored) client.heads.set(place, { config: stored, checkpoint });
  // Refused: half of the clients look again, half go on as if they had not heard.
  else if (random.below(2) === 0) client.heads.delete(place);
}

function nextValue(random: Random, channel: string, value: unknown): unknown {
  const list = (value as unknown[] | undefined) ?? [];
  switch (channel) {
    case "n":
      return random.below(1000);
    case "list":
      return [...list, ...Array.from({ length: random.between(1, 5) }, () => random.pick(TEXTS))];
    default:
      return { a: random.pick(TEXTS), b: random.pick(TEXTS), c: [random.pick(TEXTS), 1, 2] };
  }
}

function know(record: Notes, thread: string, namespace: string, id: string): void {
  record.known.set(thread, [...(record.known.get(thread) ?? []), { namespace, id }]);
}

const CHANNELS = ["list", "__error__"] as const;

export async function putWrites(setting: Setting, client: Client, thread: string): Promise<void> {
  const { random, record } = setting;
  const known = record.known.get(thread) ?? [];
  if (known.length === 0) return;
  const { namespace, id } = random.pick(known);
  const task = random.pick(["task a", "task b"]);
  const channel = random.pick(CHANNELS);
  const long = Array.from({ length: 5 }, () => random.pick(TEXTS));
  const words = Array.from({ length: 60 }, () => random.pick(TEXTS)).join("");
  const value = random.pick([random.below(1000), long, words]);
  const place = placeOf(namespace, id, task, channel === "list" ? 0 : -1);
  const text = `${channel} ${JSON.stringify(value)}`;
  await noting(
    setting,
    thread,
    `putWrites ${id} ${task} ${text.slice(0, 30)}`,
    () =>
      client.saver.putWrites(
        { configurable: { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: id } },
        [[channel, value]],
        task,
      ),
    () => (model) => ({
      ...model,
      // What is there is kept, but for an error, which replaces an earlier one.
      writes:
        channel === "list" && place in model.writes
          ? model.writes
          : { ...model.writes, [place]: text },
    }),
  );
}
