/** A fault, inflicted again and again on a store at work. `main.ts` runs it long, `test/faults` short. */
import { type Random, seeded } from "./random.ts";

export interface Order {
  readonly seed: number;
  /** How often at most. */
  readonly rounds?: number;
  /** For how long at most: a round that has begun is finished. */
  readonly minutes?: number;
  /** A server for campaigns that do not need one of their own. */
  readonly connString?: string;
  readonly log?: (line: string) => void;
}

/** What was done, for the report. */
export type Counts = Record<string, number>;

export interface Round {
  readonly number: number;
  readonly random: Random;
  /** Adds to a count. */
  count(what: string, howMany?: number): void;
}

export interface Campaign {
  readonly name: string;
  /** Why it cannot run here; undefined where it can. */
  skipped(): Promise<string | undefined>;
  /** Fails with the seed in its message where something does not hold. */
  run(order: Order): Promise<Counts>;
}

/** A campaign of rounds that share what `prepare` makes. Every round has a seed of its own. */
export function campaign<T>(
  name: string,
  prepare: (order: Order) => Promise<{ shared: T; end(): Promise<void> }>,
  round: (shared: T, round: Round) => Promise<void>,
  skipped: Campaign["skipped"] = async () => undefined,
): Campaign {
  return {
    name,
    skipped,
    async run(order) {
      const { seed, rounds = Number.POSITIVE_INFINITY, minutes = Number.POSITIVE_INFINITY } = order;
      const end = performance.now() + minutes * 60_000;
      const counts: Counts = { rounds: 0 };
      const { shared, end: tidyUp } = await prepare(order);
      try {
        for (let number = 0; number < rounds && performance.now() < end; number += 1) {
          const count = (what: string, howMany = 1): void => {
            counts[what] = (counts[what] ?? 0) + howMany;
          };
          try {
            await round(shared, { number, random: seeded(seed + number), count });
          } catch (cause) {
            const again = `npm run torture -- --only ${name} --seed ${seed + number} --rounds 1`;
            throw new Error(`${name} failed in round ${number} of seed ${seed}: ${again}`, {
              cause,
            });
          }
          count("rounds");
          order.log?.(`${name}: ${JSON.stringify(counts)}`);
        }
      } finally {
        await tidyUp();
      }
      return counts;
    },
  };
}
