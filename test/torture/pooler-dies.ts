/**
 * PgBouncer in transaction mode: graphs run through it with statements named and unnamed while it is killed and
 * started again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createPool } from "../../src/index.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import { atRest, startLoad } from "./load.ts";
import { type PgBouncer, pgBouncerVersion, startPgBouncer } from "./pgbouncer-server.ts";

const KILLS = 2;

interface Shared {
  readonly database: CampaignDatabase;
  readonly pooler: PgBouncer;
}

export const poolerDies: Campaign = campaign<Shared>(
  "pooler-dies",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    const pooler = await startPgBouncer(database.connString);
    return {
      shared: { database, pooler },
      async end() {
        await pooler.stop();
        await database.end();
      },
    };
  },
  async ({ database, pooler }, round) => {
    const { random, count, number } = round;
    const { schema } = database;
    const pool = createPool({ connString: pooler.url, maxConns: 6 });
    // Every pool finds out for itself that names do not last here.
    const namedStatements = number % 4 !== 3;
    const load = startLoad({ pool, schema, random, width: 8, deadline: 30_000, namedStatements });
    try {
      for (let i = 0; i < KILLS; i += 1) {
        await Promise.race([load.ended, sleep(random.between(200, 1000))]);
        await pooler.kill();
        count("kills");
        await sleep(random.below(200));
        await pooler.start();
      }
      await Promise.race([load.ended, sleep(300)]);
    } finally {
      load.stop();
    }
    await load.ended;
    await atRest(pool);
    await pool.end();
    await load.judge(database, round);
  },
  async () => (pgBouncerVersion === undefined ? "pgbouncer is not installed" : undefined),
);
