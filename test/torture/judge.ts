/** Holds what is in the database against what was promised. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { isDeltaSnapshot } from "@langchain/langgraph-checkpoint";
import type { PostgresSaver } from "../../src/index.ts";
import type { CampaignDatabase } from "./database.ts";
import { digestOf, type Entry } from "./journal.ts";
import { expected, type PlayName } from "./plays.ts";

/** Channels that say that a task stopped, not that it finished. */
const UNFINISHED = new Set(["__error__", "__interrupt__", "__resume__", "__scheduled__"]);

/** No task runs again once its writes were acknowledged. Returns how many tasks were acknowledged. */
export function noFinishedTaskRanAgain(entries: readonly Entry[]): number {
  const finished = new Set<string>();
  for (const entry of entries) {
    if (entry.event === "ran") {
      assert(!finished.has(entry.task), `task ${entry.task} (${entry.node}) ran twice`);
    } else if (entry.event === "writes" && !entry.channels.every((one) => UNFINISHED.has(one))) {
      finished.add(entry.task);
    }
  }
  return finished.size;
}

/**
 * Every acknowledged checkpoint is there with its values, every acknowledged write too, and
 * everything that is visible can be read. Returns how many acknowledgements there were.
 */
export function nothingAcknowledgedIsLost(
  entries: readonly Entry[],
  { withFreshSaver, schema }: Pick<CampaignDatabase, "withFreshSaver" | "schema">,
  threads: readonly string[],
): Promise<number> {
  return withFreshSaver(async (saver, pool) => {
    const written = await pool.query<{ key: string }>(
      `SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id, task_id, channel)::text AS key
      FROM ${schema}.checkpoints_writes WHERE thread_id = ANY ($1)`,
      [threads],
    );
    const writes = new Set(written.rows.map(({ key }) => JSON.stringify(JSON.parse(key))));
    return compare(entries, await readAll(saver, threads), writes);
  });
}

interface Found {
  readonly digest: string;
  readonly writes: ReadonlySet<string>;
  readonly delta: boolean;
}

async function readAll(
  saver: PostgresSaver,
  threads: readonly string[],
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const thread_id of threads) {
    for await (const tuple of saver.list({ configurable: { thread_id } })) {
      const { checkpoint_ns: namespace, checkpoint_id: id } = tuple.config.configurable ?? {};
      const key = JSON.stringify([thread_id, namespace, id]);
      assert(!found.has(key), `${key} is listed twice`);
      const writes = (tuple.pendingWrites ?? []).map(([task, channel]) => `${task} ${channel}`);
      found.set(key, {
        digest: digestOf(tuple.checkpoint),
        writes: new Set(writes),
        delta: Object.values(tuple.checkpoint.channel_values).some(isDeltaSnapshot),
      });
    }
  }
  return found;
}

function compare(
  entries: readonly Entry[],
  found: ReadonlyMap<string, Found>,
  rows: ReadonlySet<string>,
): number {
  let acknowledged = 0;
  for (const entry of entries) {
    if (entry.event === "ran") continue;
    acknowledged += 1;
    const place = [entry.thread, entry.namespace, entry.id];
    const stored = found.get(JSON.stringify(place));
    if (entry.event === "put") {
      assert(stored !== undefined, `the acknowledged checkpoint ${place.join(" ")} is lost`);
      // A DeltaChannel's snapshot belongs to a version: every checkpoint with that version has it.
      if (!stored.delta) assert.equal(stored.digest, entry.digest, `values of ${place.join(" ")}`);
      continue;
    }
    for (const channel of entry.channels) {
      const write = JSON.stringify([...place, entry.task, channel]);
      assert(rows.has(write), `the acknowledged write ${write} is lost`);
      // Writes may be acknowledged before their checkpoint is put, and a crash may keep it from coming.
      const shown = stored === undefined || stored.writes.has(`${entry.task} ${channel}`);
      assert(shown, `the acknowledged write ${write} is not shown`);
    }
  }
  return acknowledged;
}

/** The run ended as it does when nobody disturbs it. */
export async function endedAsUndisturbed(
  name: PlayName,
  values: unknown,
  where = "",
): Promise<void> {
  const want = await expected(name);
  if (isDeepStrictEqual(values, want)) return;
  // `assert` shows its difference only where no message is given.
  const [got, wanted] = [values, want].map((one) => JSON.stringify(one));
  assert.fail(`${name} ${where} ended with ${got}; undisturbed it ends with ${wanted}`);
}
