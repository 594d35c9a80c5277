/**
 * The key changes while everything runs: graphs write, some under the old key and some under the new, all threads are
 * rewritten again and again, and beside that threads are pruned and deleted.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createPool, PostgresCheckpointStore } from "../../src/index.ts";
import { under } from "../encryption/material.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import { type Entry, JournalingSaver, recordIn } from "./journal.ts";
import { endedAsUndisturbed, noFinishedTaskRanAgain, nothingAcknowledgedIsLost } from "./judge.ts";
import { PLAY_NAMES, type PlayName, perform } from "./plays.ts";
import { type Random, seeded } from "./random.ts";

/** Runs at a time that are left alone, whose threads are pruned, and whose threads are deleted. */
const LANES = { kept: 6, pruned: 3, deleted: 3 } as const;
/** Plays of a lane, one after the other, each on a thread of its own. */
const PLAYS_OF_A_LANE = 3;
/** Plays that can begin anew wherever their thread was deleted: none of them waits for an answer. */
const ANEW: readonly PlayName[] = ["chat", "mapReduce", "branches", "delta", "relay"];

/** What the processes of one round have in common. */
interface Scene {
  readonly database: CampaignDatabase;
  /** One that still writes under the old key, one that writes under the new, one that does and remembers nothing. */
  readonly savers: readonly JournalingSaver[];
  /** An operator's: it writes under the new key. */
  readonly store: PostgresCheckpointStore;
  readonly entries: Entry[];
  readonly count: Round["count"];
}

export const rekey: Campaign = campaign<CampaignDatabase>(
  "rekey",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    return { shared: database, end: () => database.end() };
  },
  async (database, { number, random, count }) => {
    const pool = createPool({ connString: database.connString, maxConns: 12 });
    const { schema } = database;
    const entries: Entry[] = [];
    const [before, after] = [under(["old", "new"]), under(["new", "old"])];
    const savers = [before, after, { ...after, cacheBytes: 0 }].map((settings) => {
      const saver = new JournalingSaver(pool, undefined, { schema, ...settings });
      saver.journal = { add: (entry) => void entries.push(entry) };
      return saver;
    });
    const store = PostgresCheckpointStore.fromPool(pool, { schema, ...after });
    const scene: Scene = { database, savers, store, entries, count };
    try {
      const kinds = Object.entries(LANES) as [keyof typeof LANES, number][];
      const lanes = kinds.flatMap(([kind, width]) =>
        Array.from({ length: width }, async (_, lane) => {
          const own = seeded(random.below(2 ** 31));
          const threads: string[] = [];
          for (let i = 0; i < PLAYS_OF_A_LANE; i += 1) {
            const thread = `${number} ${kind} ${lane} ${i}`;
            threads.push(thread);
            const played = play[kind](scene, thread, own);
            const other = seeded(own.below(2 ** 31));
            // Where it is rewritten rarely, calls under either key follow on each other.
            await beside(played, scene, other, other.pick([10, 300]), () =>
              rewrite(scene, [thread]),
            );
          }
          return { kind, threads };
        }),
      );
      const done = Promise.all(lanes);
      await beside(done, scene, random, 200, () => rewrite(scene));
      const threads = (await done).flatMap((lane) => (lane.kind === "kept" ? lane.threads : []));
      // From here on nobody writes under the old key.
      await rewrite(scene);
      assert.equal(await rewrite(scene), 0, "a repetition found rows of the old key");
      await allIsUnderNew(scene);
      await judge(scene, threads);
      // A pass over all threads is one over those of the round.
      await store.prune({ all: true, strategy: "delete" });
    } finally {
      await store.close();
      await pool.end();
    }
  },
);

/** Plays of each kind to their end. */
const play: Record<keyof typeof LANES, typeof playWhole> = {
  kept: playWhole,

  async pruned(scene, thread, random) {
    const played = playWhole(scene, thread, random);
    await beside(played, scene, random, 40, async () => {
      const report = await scene.store.prune({ threads: [thread], keepLast: random.between(1, 3) });
      scene.count("checkpoints pruned", report.checkpoints);
    });
  },

  /** Deleted under its run, which hears of it; then it is played in peace, and deleted for good. */
  async deleted(scene, thread, random) {
    const name = random.pick(ANEW);
    const disturbed = step(scene, name, thread, random).catch((error: unknown) => {
      assert.equal((error as { code?: unknown }).code, "THREAD_CONFLICT", String(error));
      scene.count("runs told of a deletion");
    });
    await beside(disturbed, scene, random, 20, () =>
      random.pick(scene.savers).deleteThread(thread),
    );
    await random.pick(scene.savers).deleteThread(thread);
    await playWhole(scene, thread, random, name);
    await random.pick(scene.savers).deleteThread(thread);
    scene.count("threads deleted");
  },
};

/** Every call of the graph is another process's, as it were: what the one stored, the other goes on with. */
async function playWhole(
  scene: Scene,
  thread: string,
  random: Random,
  name: PlayName = random.pick(PLAY_NAMES),
): Promise<void> {
  for (;;) {
    const values = await step(scene, name, thread, random);
    if (values === undefined) continue;
    await endedAsUndisturbed(name, values, thread);
    scene.count("runs");
    return;
  }
}

/** One call of the graph; undefined where that was not the last. */
async function step(
  { savers, entries, count }: Scene,
  name: PlayName,
  thread: string,
  random: Random,
): Promise<unknown> {
  const record = recordIn({ add: (entry) => void entries.push(entry) });
  const options = { checkpointer: random.pick(savers), record };
  const durability = random.pick(["sync", "async"] as const);
  try {
    return await perform(name, options, { configurable: { thread_id: thread }, durability }, 1);
  } catch (error) {
    // Between rewrites and prunes it found no room: nothing was written, and the next call goes on.
    if (!/changed 5 times .*; nothing was written\. Try again\./.test(String(error))) throw error;
    count("runs told to try again");
    return undefined;
  }
}

/**
 * Does it now and then until the other is through; between two times come so many entries of the journal at most. Not
 * so much time: however slow the machine, the writers get on.
 */
async function beside(
  other: Promise<unknown>,
  { entries }: Scene,
  random: Random,
  pause: number,
  work: () => Promise<unknown>,
): Promise<void> {
  let through = false;
  const ended = other.finally(() => {
    through = true;
  });
  ended.catch(() => {});
  while (!through) {
    const next = entries.length + random.between(1, pause);
    while (!through && entries.length < next) await Promise.race([sleep(5), ended]);
    if (!through) await work();
  }
  await ended;
}

/** From the old key to the new, all threads unless some are named. Returns how many rows there were to do. */
async function rewrite({ store, count }: Scene, threads?: readonly string[]): Promise<number> {
  const report = await store.reencrypt(threads ? { threads } : {});
  assert.deepEqual(report.refused, []);
  count("threads rewritten", report.threads);
  count("rows rewritten", report.rows);
  if (threads === undefined) count("passes over all threads");
  return report.rows;
}

/** Row by row, and not by the statements that are tried here. */
async function allIsUnderNew({ database, count }: Scene): Promise<void> {
  const { schema, withFreshSaver } = database;
  const payloads = {
    "": "checkpoint_data",
    _values: "payload",
    _chunks: "payload",
    _writes: "payload",
  };
  const parts = Object.entries(payloads).map(
    ([suffix, column]) => `SELECT ${column} AS x FROM ${schema}.checkpoints${suffix}`,
  );
  const { rows } = await withFreshSaver((_, pool) =>
    pool.query<{ key: string; count: number }>(
      `SELECT encode(substring(x FROM 3 FOR get_byte(x, 1)), 'escape') AS key, count(*)::int AS count
      FROM (${parts.join(" UNION ALL ")}) t GROUP BY 1`,
    ),
  );
  assert.deepEqual(
    rows.map((row) => row.key),
    ["new"],
    "rows are under another key",
  );
  count("rows found under the new key", rows[0]?.count ?? 0);
}

/** With the new key alone. */
async function judge({ database, entries, count }: Scene, kept: readonly string[]): Promise<void> {
  count("tasks finished once", noFinishedTaskRanAgain(entries));
  const own = entries.filter((entry) => entry.event === "ran" || kept.includes(entry.thread));
  const { schema, withFreshSaver } = database;
  const eyes: Pick<CampaignDatabase, "schema" | "withFreshSaver"> = {
    schema,
    withFreshSaver: (use) => withFreshSaver(use, under(["new"])),
  };
  count("acknowledgements kept", await nothingAcknowledgedIsLost(own, eyes, kept));
  const left = await withFreshSaver((_, pool) =>
    pool.query<{ thread_id: string }>(
      ["", "_threads", "_values", "_chunks", "_writes"]
        .map(
          (suffix) =>
            `SELECT thread_id FROM ${schema}.checkpoints${suffix} WHERE thread_id LIKE '% deleted %'`,
        )
        .join(" UNION "),
    ),
  );
  assert.deepEqual(left.rows, [], "something is left of threads that were deleted");
}
