/**
 * The other floor: the same SQL with the same parameters, recorded from one run of this package and
 * asked again through a bare `pg.Pool`. Its time is what the driver and the server cost.
 */
import type pg from "pg";
import { SCHEMA } from "../databases.ts";
import { inOrder, type Recorded } from "../in-order.ts";

interface Asked extends Recorded {
  readonly query: pg.QueryConfig;
  readonly checkout: Checkout;
}

/** From taking a connection to giving it back. */
interface Checkout {
  statements: number;
}

/** Statements in the order in which they were answered. */
export type Recording = Asked[];

/** The pool itself, but for `connect`. */
export function recordingPool(pool: pg.Pool, recording: Recording): pg.Pool {
  return overridden(pool, {
    async connect(): Promise<pg.PoolClient> {
      const client = await pool.connect();
      const checkout: Checkout = { statements: 0 };
      return overridden(client, {
        query(query: pg.QueryConfig): Promise<unknown> {
          const asked = { query, checkout, after: recording.length };
          checkout.statements += 1;
          const answer = client.query(query);
          const onEnd = (): void => void recording.push(asked);
          answer.then(onEnd, onEnd);
          return answer;
        },
      });
    },
  });
}

/** The same, each statement on a connection that is free when its turn comes. */
export function onAnyConnection(recording: Recording): Recording {
  return recording.map((asked) => ({ ...asked, checkout: { statements: 1 } }));
}

/** Asks all of it again, as concurrently as it was asked, on as many connections. */
export async function replay(pool: pg.Pool, recording: Recording): Promise<void> {
  const clients = new Map<Checkout, { readonly client: Promise<pg.PoolClient>; left: number }>();
  await inOrder(recording, async ({ query, checkout }) => {
    const taken = clients.get(checkout) ?? { client: pool.connect(), left: checkout.statements };
    clients.set(checkout, taken);
    const client = await taken.client;
    try {
      await client.query(query);
    } catch (error) {
      // What waits for this statement waits for ever, and nobody would give its connection back.
      for (const { client } of clients.values()) void client.then((one) => one.release(true));
      throw error;
    }
    taken.left -= 1;
    if (taken.left > 0) return;
    clients.delete(checkout);
    client.release();
  });
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

function overridden<T extends object>(target: T, changes: object): T {
  return new Proxy(target, {
    get(_, key) {
      if (key in changes) return Reflect.get(changes, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
