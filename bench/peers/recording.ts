/**
 * The other floor: the same SQL with the same parameters, recorded from one run of this package and
 * asked again through a bare `pg.Pool`. Its time is what the driver and the server cost.
 */
import { performance } from "node:perf_hooks";
import type pg from "pg";
import { SCHEMA } from "../databases.ts";
import { inOrder, type Recorded } from "../in-order.ts";

/** From taking a connection to giving it back. */
interface Checkout extends Recorded {
  readonly queries: pg.QueryConfig[];
}

/** Checkouts in the order in which they ended. */
export type Recording = Checkout[];

/** The pool itself, but for `connect`. */
export function recordingPool(pool: pg.Pool, recording: Recording): pg.Pool {
  return overridden(pool, {
    async connect(): Promise<pg.PoolClient> {
      const checkout: Checkout = { queries: [], after: recording.length };
      const client = await pool.connect();
      return overridden(client, {
        query(config: pg.QueryConfig): unknown {
          checkout.queries.push(config);
          return client.query(config);
        },
        release(error?: Error | boolean): void {
          client.release(error);
          recording.push(checkout);
        },
      });
    },
  });
}

/** Asks all of it again, as concurrently as it was asked; milliseconds. */
export async function replay(pool: pg.Pool, recording: Recording): Promise<number> {
  const start = performance.now();
  await inOrder(recording, async ({ queries }) => {
    const client = await pool.connect();
    try {
      for (const query of queries) await client.query(query);
    } finally {
      client.release();
    }
  });
  return performance.now() - start;
}

/**
 * Empties the tables for the next replay. The rows of threads stay: recorded statements name the
 * generation of the thread that they write to, and would write nothing to another.
 */
export async function emptyTables(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname = $1 AND tablename NOT LIKE '%\\_threads' AND tablename NOT LIKE '%\\_migrations'`,
    [SCHEMA],
  );
  await pool.query(`TRUNCATE ${rows.map(({ name }) => name).join(", ")}`);
}

export function statementCount(recording: Recording): number {
  return recording.reduce((count, { queries }) => count + queries.length, 0);
}

function overridden<T extends object>(target: T, changes: object): T {
  return new Proxy(target, {
    get(_, key) {
      if (key in changes) return Reflect.get(changes, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
