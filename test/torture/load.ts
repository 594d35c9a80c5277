/** Graph runs in this process, many at once, on one saver whose database is being mistreated. */
import { randomUUID } from "node:crypto";
import type { DbPool } from "../../src/index.ts";
import { PostgresSaver } from "../../src/index.ts";
import { eventually } from "../support/wait.ts";
import type { Round } from "./campaign.ts";
import type { CampaignDatabase } from "./database.ts";
import { type Entry, JournalingSaver, recordIn } from "./journal.ts";
import { endedAsUndisturbed, noFinishedTaskRanAgain, nothingAcknowledgedIsLost } from "./judge.ts";
import { PLAY_NAMES, type PlayName, perform } from "./plays.ts";
import type { Random } from "./random.ts";

export interface Load {
  /** So many runs at a time, one after the other, until `stop`. A run that fails rejects `ended`. */
  readonly ended: Promise<void>;
  /** No new runs; those that are under way go on. */
  stop(): void;
  /** Runs that are through. */
  readonly runs: number;
  /** Holds what the database has against what was acknowledged, and every run's end against an undisturbed one. */
  judge(database: Pick<CampaignDatabase, "withFreshSaver" | "schema">, round: Round): Promise<void>;
}

export interface LoadOptions {
  readonly pool: DbPool;
  readonly schema: string;
  readonly random: Random;
  /** Runs at a time. */
  readonly width: number;
  readonly deadline: number;
  readonly namedStatements?: boolean;
}

export function startLoad(options: LoadOptions): Load {
  const { pool, schema, random, width, deadline, namedStatements = true } = options;
  const entries: Entry[] = [];
  const results: { thread: string; play: PlayName; values: unknown }[] = [];
  const settings = { schema, deadline, namedStatements };
  const checkpointer = new JournalingSaver(pool, undefined, settings);
  const journal = { add: (entry: Entry) => void entries.push(entry) };
  checkpointer.journal = journal;
  let stopped = false;

  const oneAfterTheOther = async (): Promise<void> => {
    while (!stopped) {
      const play = random.pick(PLAY_NAMES);
      const thread = `${play} ${randomUUID()}`;
      const durability = random.pick(["sync", "async"] as const);
      const values = await perform(
        play,
        { checkpointer, record: recordIn(journal) },
        { configurable: { thread_id: thread }, durability },
      );
      results.push({ thread, play, values });
    }
  };
  const lanes = Array.from({ length: width }, oneAfterTheOther);
  const ended = Promise.all(lanes).then(() => {});
  // Whoever waits for it hears of it; until then it must not count as unhandled.
  ended.catch(() => {
    stopped = true;
  });

  return {
    ended,
    stop() {
      stopped = true;
    },
    get runs() {
      return results.length;
    },
    async judge(database, { count }) {
      count("tasks finished once", noFinishedTaskRanAgain(entries));
      const threads = results.map(({ thread }) => thread);
      count("acknowledgements kept", await nothingAcknowledgedIsLost(entries, database, threads));
      for (const { play, values } of results) await endedAsUndisturbed(play, values);
      count("runs", results.length);
    },
  };
}

/** No caller waits, no connection is out: none was leaked. */
export async function atRest(pool: DbPool): Promise<void> {
  await eventually(
    "the pool is at rest",
    () => pool.waitingCount === 0 && pool.idleCount === pool.totalCount,
  );
}

/** The store does its work: a checkpoint goes in and comes out. */
export async function works(pool: DbPool, schema: string, deadline = 20_000): Promise<void> {
  const checkpointer = new PostgresSaver(pool, undefined, { schema, deadline });
  const config = { configurable: { thread_id: `works ${randomUUID()}` } };
  await endedAsUndisturbed("mapReduce", await perform("mapReduce", { checkpointer }, config));
}
