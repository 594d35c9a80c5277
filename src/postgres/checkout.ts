import { DatabaseError } from "../errors.ts";
import { before, type Deadline, inSeconds } from "./deadline.ts";
import type { DbClient, DbPool } from "./driver.ts";
import { breaksConnection, markIfConnectionEnded, markTransient } from "./failures.ts";

/** A connection in use. */
export interface Checkout {
  readonly client: DbClient;
  /** Whether the connection has ended since it was taken. */
  isLost(): boolean;
  /** Remembers of a statement's error that it is owed to the connection's end, if it is. */
  note(error: unknown): void;
  /** Gives the connection back. After an error that breaks connections it leaves the pool. */
  release(error?: unknown): void;
}

/** Takes a connection from the pool, no later than the deadline. */
export async function checkout(pool: DbPool, deadline: Deadline): Promise<Checkout> {
  const client = await connect(pool, deadline);
  let lost: Error | undefined;
  let released = false;
  // Without a listener, a connection that ends while it is in use ends the process.
  const onError = (error: Error): void => {
    lost ??= error;
  };
  client.on?.("error", onError);
  return {
    client,
    isLost: () => lost !== undefined,
    note(error) {
      // A connection may end before there was a listener on it, or have no events at all.
      if (lost === undefined) markIfConnectionEnded(error);
      else markTransient(error);
    },
    release(error) {
      if (released) return;
      released = true;
      const broken = lost ?? (error !== undefined && breaksConnection(error) ? error : undefined);
      client.release(broken === undefined || broken instanceof Error ? broken : true);
      // Only now, when the pool listens again: at no time may there be no listener.
      client.removeListener?.("error", onError);
    },
  };
}

async function connect(pool: DbPool, deadline: Deadline): Promise<DbClient> {
  const connecting = pool.connect();
  let late = false;
  try {
    return await before(deadline, connecting, () => {
      late = true;
      return tooLate(pool, deadline);
    });
  } catch (error) {
    // A connection that arrives after all goes back unused.
    if (late) connecting.then((client) => client.release()).catch(() => {});
    else markIfConnectionEnded(error);
    throw error;
  }
}

function tooLate(pool: DbPool, deadline: Deadline): DatabaseError {
  const seconds = inSeconds(deadline.total);
  const max = pool.options?.max;
  const mayBeFull = pool.totalCount === undefined || max === undefined || pool.totalCount >= max;
  return mayBeFull
    ? new DatabaseError(
        "POOL_TIMEOUT",
        `No connection of the pool${max === undefined ? "" : ` (${max})`} became free within ${seconds}. ` +
          "Raise maxConns, or find what keeps the connections.",
      )
    : new DatabaseError(
        "CONNECTION_FAILED",
        `The server did not answer a new connection within ${seconds}. Check host, port and firewall.`,
      );
}
