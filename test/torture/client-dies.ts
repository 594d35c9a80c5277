/**
 * The client dies: processes that run graphs are killed with SIGKILL at random moments, and new ones go on with the
 * same threads until they are through.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Durability } from "../langgraph/graphs/graph.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import type { Entry } from "./journal.ts";
import { endedAsUndisturbed, noFinishedTaskRanAgain, nothingAcknowledgedIsLost } from "./judge.ts";
import { PLAY_NAMES } from "./plays.ts";
import type { Random } from "./random.ts";
import type { Death, Run } from "./worker.ts";
import { startWorkers, type Workers } from "./workers.ts";

const DURABILITIES: readonly Durability[] = ["sync", "async", "async", "exit"];
/** Threads of one process. */
const RUNS = 4;
/** A thread is left in peace after so many deaths. */
const MOST_DEATHS = 4;

interface Shared {
  readonly database: CampaignDatabase;
  readonly workers: Workers;
  readonly directory: string;
}

export const clientDies: Campaign = campaign<Shared>(
  "client-dies",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    const workers = startWorkers();
    const directory = await mkdtemp(join(tmpdir(), "lgp-journal-"));
    return {
      shared: { database, workers, directory },
      async end() {
        workers.end();
        await database.end();
        await rm(directory, { recursive: true });
      },
    };
  },
  async ({ database, workers, directory }, { number, random, count }) => {
    const journal = join(directory, `${number}.jsonl`);
    const runs: Run[] = Array.from({ length: RUNS }, (_, i) => ({
      thread: `${number}-${i}`,
      play: random.pick(PLAY_NAMES),
      durability: random.pick(DURABILITIES),
    }));
    const order = { connString: database.connString, schema: database.schema, journal, runs };

    const deaths = random.between(1, MOST_DEATHS);
    for (let i = 0; i < deaths; i += 1) {
      const how = chooseDeath(random);
      const ended = await workers.run({ ...order, ...how.order }, how.killAfter);
      if (ended === undefined) count("kills");
      else count("survived");
    }
    const results = await workers.run(order);
    assert(results !== undefined, "a process died that nobody killed");

    const lines = (await readFile(journal, "utf8")).split("\n").filter(Boolean);
    const entries = lines.map((line) => JSON.parse(line) as Entry);
    count("tasks finished once", noFinishedTaskRanAgain(entries));
    const threads = runs.map(({ thread }) => thread);
    count("acknowledgements kept", await nothingAcknowledgedIsLost(entries, database, threads));
    for (const [i, { play, thread, durability }] of runs.entries()) {
      await endedAsUndisturbed(play, results[i]?.values, `${thread} (${durability})`);
      count("runs");
    }
  },
);

/** Around a write of its own choosing, or at a moment that nobody chose. */
function chooseDeath(random: Random): { order: { death?: Death }; killAfter?: number } {
  if (random.next() < 0.4) return { order: {}, killAfter: random.below(350) };
  const death = { at: "any" as const, count: random.between(1, 60) };
  // Without a delay, before the statement leaves or before anyone hears of its answer.
  if (random.next() < 0.3) return { order: { death } };
  return { order: { death: { ...death, delay: random.below(6) } } };
}
