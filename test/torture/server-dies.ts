/**
 * The server dies: SIGKILL to the postmaster and all its children under load, then a restart that recovers from the
 * log. Runs that were in flight go on by retry; the graph hears nothing of it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createPool } from "../../src/index.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import { atRest, startLoad } from "./load.ts";

/** Kills during one load. */
const KILLS = 3;
/** Well above what a restart takes: the promise is for servers that are back within the deadline. */
const DEADLINE = 60_000;

export const serverDies: Campaign = campaign<CampaignDatabase>(
  "server-dies",
  async () => {
    const database = await openDatabase(undefined, { fsync: true });
    return { shared: database, end: () => database.end() };
  },
  async (database, round) => {
    const { random, count } = round;
    const { server, connString, schema } = database;
    if (!server) throw new Error("there is no server to kill");
    const pool = createPool({ connString, maxConns: 6 });
    const load = startLoad({ pool, schema, random, width: 8, deadline: DEADLINE });
    try {
      for (let i = 0; i < KILLS; i += 1) {
        await Promise.race([load.ended, sleep(random.between(100, 1200))]);
        await server.kill("SIGKILL");
        count("kills");
        await sleep(random.below(600));
        await server.restart();
      }
    } finally {
      load.stop();
    }
    await load.ended;
    await atRest(pool);
    await pool.end();
    await load.judge(database, round);
  },
);
