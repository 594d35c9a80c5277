/** Removing checkpoints of a thread with all that only they needed, and counting it exactly. */
import { setTimeout as sleep } from "node:timers/promises";
import { ThreadConflictError } from "../errors.ts";
import type { Executor } from "../postgres/database.ts";
import { type Freed, freedOf, NOTHING, sum } from "./freed.ts";
import type { CheckpointStub } from "./keep-set.ts";
import { type Plan, planRemoval, type Selection } from "./plan.ts";
import { removalStatements } from "./removal-statements.ts";
import { type Conditions, keyColumns, LONG_DEADLINE, type Place, runRound } from "./round.ts";

export interface RemovalOptions extends Conditions {
  readonly signal?: AbortSignal | undefined;
  /** Remove the thread itself if nothing is left of it and it was idle so many milliseconds. */
  readonly dropEmptyAfter?: number | undefined;
}

/**
 * Checkpoints that one transaction removes, or half the values and chunks that it collects. Writers
 * have to wait for it, so on a thread that is in use it is made as large as this server does in a
 * good time (milliseconds).
 */
const SMALLEST_ROUND = 250;
const LARGEST_ROUND = 2000;
const GOOD_ROUND = 20;
/** A removal of more checkpoints than this keeps a mark while it is under way. */
const MARKED_FROM = 100;
/**
 * Between two transactions on a thread that is in use, writers that the first refused get their turn:
 * milliseconds.
 */
const SHORTEST_PAUSE = 25;
/** How often a plan is made anew because the thread changed so that it no longer held. */
const MAX_PLANS = 20;

/**
 * Removes the checkpoints of a thread that are neither wanted nor needed by those, then the values
 * and chunks that nothing refers to any more. May be interrupted anywhere and repeated: what is
 * there after each transaction is whole, and a repetition goes on where the first time ended.
 */
export async function removeUnwanted(
  place: Place,
  threadId: string,
  selection: Selection,
  options: RemovalOptions = {},
): Promise<Freed> {
  const { state, freed } = await tryToRemove(place, threadId, selection, options);
  if (state !== "stale") return freed;
  throw new ThreadConflictError(
    `Thread ${JSON.stringify(threadId)} changed ${MAX_PLANS} times while it was pruned. What is there is whole; try again.`,
  );
}

/**
 * The same, and whether it came to its end: `left` where a condition kept it away, `stale` where the thread changed each
 * time that a plan was made.
 */
export async function tryToRemove(
  place: Place,
  threadId: string,
  selection: Selection,
  options: RemovalOptions = {},
): Promise<Removal> {
  let freed = NOTHING;
  for (let attempt = 1; attempt <= MAX_PLANS; attempt += 1) {
    options.signal?.throwIfAborted();
    const plan = await planRemoval(place, threadId, selection);
    if (plan === undefined || (plan.doomed.length === 0 && plan.hidden.length === 0)) {
      return { state: "done", freed };
    }
    const { state, freed: more } = await carryOut(place, plan, options);
    freed = sum(freed, more);
    if (state !== "stale") return { state, freed };
  }
  return { state: "stale", freed };
}

export interface Removal {
  readonly state: "done" | "stale" | "left";
  readonly freed: Freed;
}

/** What {@link removeUnwanted} would remove if nobody wrote meanwhile. */
export async function countUnwanted(
  place: Place,
  threadId: string,
  selection: Selection,
): Promise<Freed> {
  const { database, names } = place;
  const plan = await planRemoval(place, threadId, selection);
  if (plan === undefined || plan.doomed.length === 0) return NOTHING;
  const parameters = [threadId, ...keyColumns(plan.doomed)];
  const { steady, count } = removalStatements(names);
  const work = async (tx: Executor): Promise<Freed> => {
    await tx.execute(steady, []);
    return freedOf(await tx.execute(count, parameters));
  };
  return database.transaction(work, { deadline: LONG_DEADLINE });
}

async function carryOut(place: Place, plan: Plan, options: RemovalOptions): Promise<Removal> {
  let freed = NOTHING;
  let { generation } = plan;
  let size = plan.inUse ? SMALLEST_ROUND : LARGEST_ROUND;
  let pause = 0;
  for (const step of stepsOf(plan)) {
    let rest = step.doomed;
    for (let more = true; more; ) {
      await between(pause, options.signal);
      const doomed = rest.slice(0, size);
      rest = rest.slice(size);
      const dropEmptyAfter = step.last && plan.kept === 0 ? options.dropEmptyAfter : undefined;
      const { threadId, lastSeq } = plan;
      const { hidden, collect } = step;
      const began = performance.now();
      const outcome = await runRound(
        place,
        { threadId, lastSeq, generation, doomed, hidden, collect, limit: 2 * size, dropEmptyAfter },
        options,
      );
      if (outcome.state !== "done") return { state: outcome.state, freed };
      freed = sum(freed, outcome.freed);
      generation = outcome.generation;
      more = rest.length > 0 || (collect && outcome.more);
      if (!plan.inUse) continue;
      const took = performance.now() - began;
      size = Math.round(clamp((size * GOOD_ROUND) / took, SMALLEST_ROUND, LARGEST_ROUND));
      pause = Math.max(SHORTEST_PAUSE, 2 * took);
    }
  }
  return { state: "done", freed };
}

interface Step {
  readonly doomed: readonly CheckpointStub[];
  readonly hidden: readonly CheckpointStub[];
  readonly collect: boolean;
  readonly last: boolean;
}

/**
 * A removal of many checkpoints hides one of them and removes it last: as long as it is there,
 * whoever makes the next plan sees that something is left to be collected.
 */
function stepsOf({ doomed, hidden }: Plan): Step[] {
  if (doomed.length <= MARKED_FROM) return [{ doomed, hidden, collect: true, last: true }];
  const mark = doomed.slice(-1);
  const hiding = [...hidden, ...mark.filter(({ state }) => state !== "hidden")];
  return [
    { doomed: doomed.slice(0, -1), hidden: [], collect: false, last: false },
    { doomed: [], hidden: hiding, collect: true, last: false },
    { doomed: mark, hidden: [], collect: true, last: true },
  ];
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

async function between(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (ms === 0) return;
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => {});
  signal?.throwIfAborted();
}
