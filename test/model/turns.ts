/**
 * One statement at a time: every statement of every store waits for its turn, and a seed says whose turn it is. A
 * statement that waits for a lock is told by what the server says of its session, not by a clock.
 */
import type { DbClient, DbPool } from "../../src/postgres/index.ts";
import type { Random } from "../torture/random.ts";

/** What a store is about to do. */
interface Waiter {
  readonly what: string;
  readonly go: () => void;
}

interface InFlight {
  readonly pid: number;
  waits: boolean;
}

export interface Turns {
  /** How many turns there were. */
  readonly turn: number;
  /** Statements that waited for a lock. */
  readonly waits: number;
  /** What happened in which order. */
  readonly trace: readonly string[];
  /** The pool, of which every statement waits for its turn. */
  gated(pool: DbPool, store: string): DbPool;
  /** A client of the store does `work`, which begins when its turn has come. */
  begin(store: string, what: string, work: () => Promise<void>): Promise<void>;
  /** Lets them go, one after the other, until all have ended; `look` after each turn. */
  run(work: Promise<unknown>, look: () => Promise<void>): Promise<void>;
}

/** Of these sessions, those that wait for the lock of one of `ours`: autovacuum's lets go by itself. */
export type FindBlocked = (
  pids: readonly number[],
  ours: readonly number[],
) => Promise<readonly number[]>;

export function createTurns(random: Random, findBlocked: FindBlocked): Turns {
  const waiting: Waiter[] = [];
  const inFlight = new Set<InFlight>();
  const ours = new Set<number>();
  const trace: string[] = [];
  /** For each store: pieces of work that have begun, and statements of theirs that wait or run. */
  const working = new Map<string, number>();
  const stating = new Map<string, number>();
  let events = 0;
  let turn = 0;
  let waits = 0;
  let onEvent: (() => void) | undefined;

  const add = (to: Map<string, number>, store: string, n: number): void => {
    to.set(store, (to.get(store) ?? 0) + n);
    events += 1;
    onEvent?.();
  };
  const itsTurn = (what: string): Promise<void> =>
    new Promise((go) => {
      waiting.push({ what, go });
    });

  /** All that follows from the last turn has happened: what is left waits for its turn or for a lock. */
  const calm = async (): Promise<void> => {
    for (;;) {
      await microtasksAndTicks();
      const before = events;
      // A store that has begun something and states nothing waits for a clock; everybody waits with it.
      const idle = [...working].some(([store, n]) => n > 0 && !stating.get(store));
      if (idle) {
        await new Promise<void>((resolve) => {
          onEvent = resolve;
        });
        onEvent = undefined;
        continue;
      }
      if (inFlight.size === 0) return;
      const blocked = new Set(
        await findBlocked(
          [...inFlight].map(({ pid }) => pid),
          [...ours],
        ),
      );
      await microtasksAndTicks();
      if (before !== events || ![...inFlight].every(({ pid }) => blocked.has(pid))) continue;
      for (const one of inFlight) {
        if (!one.waits) waits += 1;
        one.waits = true;
      }
      return;
    }
  };

  return {
    get turn() {
      return turn;
    },
    get waits() {
      return waits;
    },
    trace,
    gated: (pool, store) => ({
      connect: async () => gatedClient(await pool.connect(), store),
      get totalCount() {
        return pool.totalCount ?? 0;
      },
      options: { max: pool.options?.max ?? 1 },
    }),
    async begin(store, what, work) {
      await itsTurn(`${store}: ${what}`);
      add(working, store, 1);
      await work().finally(() => add(working, store, -1));
    },
    async run(work, look) {
      let ended = false;
      const end = work.finally(() => {
        ended = true;
      });
      end.catch(() => {});
      for (;;) {
        await calm();
        await look();
        if (waiting.length === 0) {
          if (ended) return void (await end);
          if (inFlight.size > 0) throw new Error("all wait for locks, and nobody can go on");
          continue;
        }
        const [next] = waiting.splice(random.below(waiting.length), 1);
        turn += 1;
        trace.push(`${turn} ${next?.what}`);
        next?.go();
      }
    },
  };

  function gatedClient(client: DbClient, store: string): DbClient {
    const pid = (client as { processID?: number }).processID ?? 0;
    ours.add(pid);
    const facade: DbClient = {
      async query(query) {
        add(stating, store, 1);
        await itsTurn(`${store}: ${query.name ?? query.text}`);
        const flight = { pid, waits: false };
        inFlight.add(flight);
        try {
          return await client.query(query);
        } finally {
          inFlight.delete(flight);
          add(stating, store, -1);
        }
      },
      release: (error) => client.release(error),
    };
    if (client.on) facade.on = client.on.bind(client);
    if (client.removeListener) facade.removeListener = client.removeListener.bind(client);
    return facade;
  }
}

/** Everything that needs no clock and no network has run. */
async function microtasksAndTicks(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
