/**
 * The primary is lost under load, or steps down, and its standby is promoted. Writers that know both go on there;
 * with synchronous commit nothing acknowledged is lost.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createPool } from "../../src/index.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { openDatabase } from "./database.ts";
import { atRest, startLoad } from "./load.ts";
import { startPair } from "./replicated-pair.ts";

const DEADLINE = 60_000;

export const failover: Campaign = campaign<undefined>(
  "failover",
  async () => ({ shared: undefined, end: async () => {} }),
  async (_, round) => {
    const { random, count, number } = round;
    const pair = await startPair();
    try {
      const { connString } = pair;
      // Its tables, and its judge, are reached through the same string: after the promotion, at the standby.
      const database = await openDatabase(connString);
      const { schema } = database;
      const pool = createPool({ connString, maxConns: 6 });
      const load = startLoad({ pool, schema, random, width: 6, deadline: DEADLINE });
      try {
        await Promise.race([load.ended, sleep(random.between(200, 1500))]);
        if (number % 2 === 0) {
          await pair.primary.kill("SIGKILL");
          await sleep(random.below(500));
          await pair.promote();
          count("primaries killed");
        } else {
          // Connections stay, and every write on them is refused with 25006.
          await pair.makePrimaryReadOnly();
          await sleep(random.below(500));
          await pair.promote();
          count("primaries that stepped down");
        }
        const before = load.runs;
        while (load.runs < before + 6) await Promise.race([load.ended, sleep(20)]);
        count("runs finished after the failover", load.runs - before);
      } finally {
        load.stop();
      }
      await load.ended;
      await atRest(pool);
      await pool.end();
      await load.judge(database, round);
    } finally {
      await pair.stop();
    }
  },
);
