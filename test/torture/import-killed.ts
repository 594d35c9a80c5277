/**
 * An import of many threads of the official package, killed again and again and begun again: each thread
 * is whole or not here at any time, comes over once, and goes on as it would have there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PostgresSaver } from "../../src/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";
import {
  configOf,
  KINDS,
  kindOf,
  makeThreads,
  OfficialSaver,
} from "../transfer/official-threads.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";

/** Threads that go on at a time. */
const WIDTH = 8;

export const importKilled: Campaign = importing("import", { threads: 2000, kills: 3 });

export interface Size {
  readonly threads: number;
  readonly kills: number;
}

export function importing(name: string, size: Size): Campaign {
  return campaign<CampaignDatabase>(
    name,
    async ({ connString }) => {
      const database = await openDatabase(connString);
      return { shared: database, end: () => database.end() };
    },
    (database, round) =>
      database.withFreshSaver(async (saver, pool) => {
        await saver.setup();
        const from = `${database.schema}_official`;
        const official = new OfficialSaver(pool, undefined, { schema: from });
        try {
          await official.setup();
          await importAll(database, official, from, size, round);
        } finally {
          // The threads of the next round have the same ids.
          await pool.query(`DROP SCHEMA IF EXISTS "${from}", "${database.schema}" CASCADE`);
        }
      }),
  );
}

async function importAll(
  { connString, schema, withFreshSaver }: CampaignDatabase,
  official: OfficialSaver,
  from: string,
  { threads, kills }: Size,
  { random, count }: Round,
): Promise<void> {
  const ids = await makeThreads(official, threads);
  // What becomes of each kind where nothing was imported; the threads of a kind differ in their ids only.
  const expected: unknown[] = [];
  for (const [i, { name, begin, finish }] of KINDS.entries()) {
    const config = configOf(`${name}, never imported`);
    await begin(official, config);
    expected[i] = await finish(official, config);
  }
  const script = fileURLToPath(new URL("../transfer/import-process.ts", import.meta.url));
  const order = JSON.stringify({ connString, schema, from, threads: ids });
  for (let i = 0; i < kills; i += 1) {
    const child = spawn(process.execPath, ["--import", "tsx", script, order]);
    const last = random.between(1, Math.floor(threads / (kills + 2)));
    let lines = 0;
    child.stdout.on("data", (data: Buffer) => {
      lines += String(data).split("\n").length - 1;
      if (lines >= last) child.kill("SIGKILL");
    });
    await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");
    count("kills");
  }
  await withFreshSaver(async (_, pool) => {
    const storage = openStorage({ pool, owned: false, settings: { schema } });
    const report = await importOfficial(storage, { schema: from, threads: ids });
    assert.deepEqual([report.diverged, report.refused], [[], []]);
    assert.equal(report.threads + report.unchanged, threads);
    assert(report.unchanged > 0, "nothing was left of the imports that were killed");
    assert(report.threads > 0, "nothing was left for the last import");
    count("threads that a killed import had done", report.unchanged);
    count("threads that the last one did", report.threads);
    count("checkpoints read back and compared by the last", report.checkpoints);
    const again = await importOfficial(storage, { schema: from, threads: ids });
    assert.deepEqual([again.threads, again.unchanged], [0, threads]);
    const saver = new PostgresSaver(storage);
    for (let at = 0; at < threads; at += WIDTH) {
      await Promise.all(
        ids.slice(at, at + WIDTH).map(async (id, i) => {
          const result = await kindOf(at + i).finish(saver, configOf(id));
          assert.deepEqual(result, expected[(at + i) % KINDS.length], id);
          count("threads that went on");
        }),
      );
    }
  });
}
