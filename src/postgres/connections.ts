// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
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
  /** The same for one that nobody else has had in hand, and that may be used again before the event loop turns. */
  keep(): void;
}

/** The connections of a pool, each for one operation at a time. */
export interface Connections {
  /** A connection, no later than the deadline. */
  take(deadline: Deadline): Promise<Checkout>;
  /** How many are kept, though nobody uses them. */
  kept(): number;
}

/** A connection that was taken from the pool, and the error that it ended with, if it has. */
interface Held {
  readonly client: DbClient;
  /** When it was taken, as `performance.now()` tells it. */
  readonly since: number;
  lost: Error | undefined;
  readonly onError: (error: Error) => void;
}

/**
 * A caller that never pauses would keep a connection for ever: after so many milliseconds it goes back all the same, so
 * that the pool can replace it when it is old.
 */
const LONGEST = 100;

/**
 * A connection that ran a statement goes back to the pool when the event loop turns, unless an operation needs it before
 * that or the pool needs it back. A pool hands out its connections in a later turn, and a graph whose nodes wait for
 * nothing runs all of its steps in this one: what it puts would leave only then, and nothing would be stored beside its
 * work.
 */
export function connectionsOf(pool: DbPool): Connections {
  const free: Held[] = [];
  let willGiveBack = false;
  const giveBackAll = (): void => {
    willGiveBack = false;
    for (const held of free.splice(0)) giveBackQuietly(held);
  };
  const keep = (held: Held): void => {
    free.push(held);
    if (willGiveBack) return;
    willGiveBack = true;
    setImmediate(giveBackAll);
  };
  const mayKeep = ({ lost, since }: Held): boolean =>
    lost === undefined &&
    pool.waitingCount === 0 &&
    pool.ending !== true &&
    !isWatched(pool) &&
    performance.now() - since < LONGEST;

  return {
    kept: () => free.length,
    async take(deadline) {
      let held = free.pop();
      while (held?.lost !== undefined) {
        giveBackQuietly(held);
        held = free.pop();
      }
      const taken = held ?? (await hold(pool, deadline));
      let released = false;
      const release: Checkout["release"] = (error) => {
        if (released) return;
        released = true;
        giveBack(taken, error);
      };
      return {
        client: taken.client,
        isLost: () => taken.lost !== undefined,
        note(error) {
          // A connection may end before there was a listener on it, or have no events at all.
          if (taken.lost === undefined) markIfConnectionEnded(error);
          else markTransient(error);
        },
        release,
        keep() {
          if (released || !mayKeep(taken)) return release();
          released = true;
          keep(taken);
        },
      };
    },
  };
}

async function hold(pool: DbPool, deadline: Deadline): Promise<Held> {
  const held: Held = {
    client: await connect(pool, deadline),
    since: performance.now(),
    lost: undefined,
    // Without a listener, a connection that ends while it is in use ends the process.
    onError(error) {
      held.lost ??= error;
    },
  };
  held.client.on?.("error", held.onError);
  return held;
}

/** No operation is there any more that could fail. */
function giveBackQuietly(held: Held): void {
  try {
    giveBack(held);
  } catch {
    // A pool that does not take it back has it already.
  }
}

function giveBack({ client, lost, onError }: Held, error?: unknown): void {
  const broken = lost ?? (error !== undefined && breaksConnection(error) ? error : undefined);
  client.release(broken === undefined || broken instanceof Error ? broken : true);
  // Only now, when the pool listens again: at no time may there be no listener.
  client.removeListener?.("error", onError);
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

/** Whether somebody has put something before each handing out of a connection, such as `beforeAcquire`. */
export function isWatched(pool: DbPool): boolean {
  return Object.hasOwn(pool, "connect");
}
