/** One transaction of a removal: the thread is locked, the plan proven, the rows removed. */
import { randomUUID } from "node:crypto";
import { textArray } from "../postgres/arrays.ts";
import type { Executor, Param, Row } from "../postgres/database.ts";
import type { Storage } from "../storage/storage.ts";
import { countOf, type Freed, freedOf } from "./freed.ts";
import type { CheckpointStub } from "./keep-set.ts";
import { removalStatements } from "./removal-statements.ts";

/** What retention needs of a storage. */
export type Place = Pick<Storage, "database" | "names"> & Partial<Pick<Storage, "cipher">>;

/** How long a single statement may take that handles a thread or a table whole; milliseconds. */
export const LONG_DEADLINE = 600_000;

/** When to leave a thread alone. */
export interface Conditions {
  /** It was written to at this time or later; milliseconds since the epoch. */
  readonly writtenSince?: number | undefined;
  /** Anybody else has it locked. Without this, the removal waits for its turn. */
  readonly skipLocked?: boolean | undefined;
  /** Asked first in each transaction. */
  readonly guard?: ((tx: Executor) => Promise<boolean>) | undefined;
}

export interface Round {
  readonly threadId: string;
  /** What the plan found; the round does nothing where they no longer hold. */
  readonly generation: string;
  readonly lastSeq: number;
  readonly doomed: readonly CheckpointStub[];
  readonly hidden: readonly CheckpointStub[];
  /** Whether to remove what nothing refers to any more, too. */
  readonly collect: boolean;
  /** How many values, and how many chunks, it collects at most. */
  readonly limit: number;
  /** Remove the thread's row if nothing is left and it was idle so many milliseconds. */
  readonly dropEmptyAfter?: number | undefined;
}

export type RoundOutcome =
  | {
      readonly state: "done";
      readonly freed: Freed;
      readonly generation: string;
      /** Whether there is more to collect. */
      readonly more: boolean;
    }
  /** The thread is not what the plan says. */
  | { readonly state: "stale" }
  /** A condition kept the round away. */
  | { readonly state: "left" };

export async function runRound(
  { database, names }: Place,
  round: Round,
  conditions: Conditions,
): Promise<RoundOutcome> {
  const statements = removalStatements(names);
  const { threadId, generation, collect, doomed, hidden, dropEmptyAfter } = round;
  // Without its checkpoints a thread still has every value and chunk that a writer counts on; it is
  // collecting these that the writers must hear of.
  const renewed = collect ? randomUUID() : generation;
  // What the last attempt removed. An attempt whose COMMIT was not answered is repeated, and finds
  // the new generation or nothing to remove if it had been done after all.
  let attempted: Extract<RoundOutcome, { state: "done" }> | undefined;

  return database.transaction(async (tx): Promise<RoundOutcome> => {
    if (conditions.guard && !(await conditions.guard(tx))) return { state: "left" };
    const found = await lockThread(tx, { names }, threadId, conditions);
    if (found === undefined) {
      return attempted !== undefined && dropEmptyAfter !== undefined
        ? attempted
        : { state: "left" };
    }
    if (attempted !== undefined && collect && found === renewed) return attempted;
    if (found !== generation) return { state: "stale" };
    const parameters: Param[] = [threadId, ...keyColumns(doomed), round.lastSeq];
    const rows = collect
      ? await tx.execute(statements.collect, [
          ...parameters,
          round.limit,
          renewed,
          ...keyColumns(hidden),
        ])
      : await tx.execute(statements.remove, parameters);
    if (countOf(rows, "fresh") === 0) return { state: "stale" };
    if (dropEmptyAfter !== undefined) {
      await tx.execute(statements.dropEmpty, [threadId, dropEmptyAfter]);
    }
    const outcome = done(rows, renewed, round.limit);
    const repeated = !collect && attempted !== undefined && outcome.freed.checkpoints === 0;
    attempted = repeated ? attempted : outcome;
    return attempted as RoundOutcome;
  });
}

/** The thread's generation once it is locked; undefined where a condition says to leave it alone. */
export async function lockThread(
  tx: Executor,
  { names }: Pick<Place, "names">,
  threadId: string,
  { skipLocked, writtenSince }: Conditions,
): Promise<string | undefined> {
  const { lock, lockOrSkip } = removalStatements(names);
  const parameters = [threadId, writtenSince ?? null];
  const [row] = await tx.execute(skipLocked ? lockOrSkip : lock, parameters);
  return row?.[0] ?? undefined;
}

/** Namespaces and ids, as two parameters. */
export function keyColumns(of: readonly CheckpointStub[]): [Buffer, Buffer] {
  return [textArray(of.map(({ namespace }) => namespace)), textArray(of.map(({ id }) => id))];
}

function done(rows: readonly Row[], generation: string, limit: number) {
  const freed = freedOf(rows);
  const more = Math.max(freed.values, freed.chunks) >= limit;
  return { state: "done", freed, generation, more } as const;
}
