/** What the clients of a history do, each noted with what the oracle makes of it. */
import type { Random } from "../torture/random.ts";
import type { Call } from "./client.ts";
import { getById, getLatest, list } from "./reading-calls.ts";
import {
  checkpointExpires,
  cleanup,
  deleteThread,
  pruneAway,
  pruneThread,
  threadExpires,
} from "./removing-calls.ts";
import { putNext, putWrites } from "./writing-calls.ts";

const CALLS: readonly (readonly [name: string, weight: number, call: Call])[] = [
  ["put", 6, (...at) => putNext(...at)],
  ["begin", 1, (...at) => putNext(...at, true)],
  ["putWrites", 3, putWrites],
  ["getLatest", 3, getLatest],
  ["getById", 1, getById],
  ["list", 1, list],
  ["deleteThread", 2, deleteThread],
  ["prune", 4, pruneThread],
  ["pruneAway", 1, pruneAway],
  ["threadExpires", 1, threadExpires],
  ["checkpointExpires", 1, checkpointExpires],
  ["cleanup", 2, cleanup],
];

/** One call of them all, or the one of that name. */
export function pickCall(random: Random, wanted?: string): readonly [name: string, call: Call] {
  const found = CALLS.find(([name]) => name === wanted);
  if (found) return [found[0], found[2]];
  let at = random.below(CALLS.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [name, weight, call] of CALLS) {
    at -= weight;
    if (at < 0) return [name, call];
  }
  throw new Error("the weights do not add up");
}
