/** Crashes at the moments that matter: just before and just after a `putWrites` and a `put`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type CampaignDatabase, openDatabase } from "../torture/database.ts";
import type { Entry, Moment } from "../torture/journal.ts";
import {
  endedAsUndisturbed,
  noFinishedTaskRanAgain,
  nothingAcknowledgedIsLost,
} from "../torture/judge.ts";
import type { PlayName } from "../torture/plays.ts";
import { startWorkers, type Workers } from "../torture/workers.ts";

let database: CampaignDatabase;
let workers: Workers;
let directory: string;
beforeAll(async () => {
  database = await openDatabase(inject("postgres")["18"]);
  workers = startWorkers();
  directory = await mkdtemp(join(tmpdir(), "lgp-journal-"));
});
afterAll(async () => {
  workers.end();
  await database.end();
  await rm(directory, { recursive: true });
});

// The n-th such moment of each run: in the middle of the fan-out, in the child graph.
const deaths: [Moment, number, PlayName, "sync" | "async"][] = [
  // The writes are stored, the checkpoint that follows from them is not.
  ["before put", 3, "mapReduce", "sync"],
  ["after writes", 12, "mapReduce", "async"],
  // The checkpoint is stored, the writes of its tasks are not.
  ["after put", 3, "subgraph", "sync"],
  ["before writes", 5, "delta", "async"],
];

test("case 27: a crash between putWrites and put, in both orders, runs no finished task twice", async () => {
  const { connString, schema } = database;
  const journal = join(directory, "journal.jsonl");
  const runs = deaths.map(([at, count, play, durability]) => {
    return { thread: `${at} ${count}`, play, durability, death: { at, count } };
  });
  for (const { death, ...run } of runs) {
    const order = { connString, schema, journal, runs: [run] };
    expect(await workers.run({ ...order, death }), "it died").toBeUndefined();
  }
  // One process goes on with all of them.
  const results = await workers.run({ connString, schema, journal, runs });
  const lines = (await readFile(journal, "utf8")).split("\n").filter(Boolean);
  const entries = lines.map((line) => JSON.parse(line) as Entry);
  expect(noFinishedTaskRanAgain(entries)).toBeGreaterThan(20);
  const threads = runs.map(({ thread }) => thread);
  await nothingAcknowledgedIsLost(entries, database, threads);
  for (const [i, { play, thread }] of runs.entries()) {
    await endedAsUndisturbed(play, results?.[i]?.values, thread);
  }
}, 120_000);
