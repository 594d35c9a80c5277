/** Two things that no catalog tells: whether a pooler is in between, and how the clocks differ. */
import type { Executor } from "../postgres/database.ts";
import type { DbClient, DbPool } from "../postgres/driver.ts";
import { statement } from "../postgres/statement.ts";

/**
 * A pooler in transaction mode gives one client another backend as soon as somebody else holds the
 * first one in a transaction.
 */
export async function detectPooler(pool: DbPool): Promise<"transaction" | "none"> {
  const pid = async (client: DbClient): Promise<unknown> =>
    JSON.stringify((await client.query({ text: "SELECT pg_backend_pid() AS pid" })).rows);
  const one = await pool.connect();
  try {
    const other = await pool.connect();
    try {
      const before = await pid(one);
      await other.query({ text: "BEGIN" });
      await pid(other);
      const after = await pid(one);
      await other.query({ text: "ROLLBACK" });
      return before === after ? "none" : "transaction";
    } finally {
      other.release();
    }
  } finally {
    one.release();
  }
}

const CLOCK = statement(
  "doctor_clock",
  "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8::text",
);

/** Milliseconds that this machine is ahead of the server, by the fastest of three answers. */
export async function clockDifference(database: Executor): Promise<number> {
  let best = { roundTrip: Number.POSITIVE_INFINITY, difference: 0 };
  for (let i = 0; i < 3; i += 1) {
    const began = Date.now();
    const [row] = await database.execute(CLOCK, []);
    const ended = Date.now();
    const roundTrip = ended - began;
    if (roundTrip < best.roundTrip) {
      best = { roundTrip, difference: began + roundTrip / 2 - Number(row?.[0]) };
    }
  }
  return best.difference;
}
