/** A property of the saver, tried with other values in each round. */
import { createPool, type DbPool, PostgresSaver } from "../../src/index.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { openDatabase } from "./database.ts";

interface Trial extends Pick<Round, "count"> {
  /** A saver that remembers nothing, on a pool that all of them share. */
  readonly fresh: () => PostgresSaver;
  readonly seed: number;
}

export function propertyCampaign(name: string, trial: (trial: Trial) => Promise<void>): Campaign {
  return campaign<{ pool: DbPool; schema: string }>(
    name,
    async ({ connString }) => {
      const database = await openDatabase(connString);
      const { schema } = database;
      const pool = createPool({ connString: database.connString, maxConns: 4 });
      return {
        shared: { pool, schema },
        async end() {
          await pool.end();
          await database.end();
        },
      };
    },
    async ({ pool, schema }, { random, count }) => {
      const fresh = () => new PostgresSaver(pool, undefined, { schema });
      await trial({ fresh, seed: random.below(2 ** 31), count });
    },
  );
}
