/** Removing what has expired. It was invisible from that moment on; this gives its space back. */
import { setTimeout as sleep } from "node:timers/promises";
import { refuseUnknownKeys } from "../options.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Executor } from "../postgres/database.ts";
import { expiryStatements } from "./expiry-statements.ts";
import { countOf } from "./freed.ts";
import type { Selection } from "./plan.ts";
import { countOption } from "./prune-options.ts";
import { tryToRemove } from "./remove.ts";
import type { Conditions, Place } from "./round.ts";

/** How `cleanupExpired` goes about it. */
export interface CleanupOptions {
  /** How many threads one transaction may remove. Default 100. */
  readonly batch?: number;
  /** Ends the work between two transactions: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What was removed. */
export interface CleanupReport {
  /** Threads that had expired as a whole. */
  readonly threads: number;
  /** Checkpoints, those of the expired threads included. */
  readonly checkpoints: number;
}

const OPTIONS = ["batch", "signal"] as const satisfies readonly (keyof CleanupOptions)[];
/** Checkpoints ever put into the expired threads of one transaction, beyond the first thread. */
const SIZE_A_TRANSACTION = 2000;
/** Expired checkpoints that are looked at to find threads. */
const PAGE = 1000;
/**
 * A thread whose last checkpoint expired stays as an empty row until it was idle so long: a run that
 * is still going on in it may put another. Milliseconds.
 */
const IDLE = 3_600_000;
/** Threads that somebody had locked are tried again so often, after so many milliseconds. */
const SECOND_TRIES = 4;
const SECOND_TRY_AFTER = 50;

/** What is not expired, and what it needs; the needed ones are not seen again. */
const ALIVE: Selection = {
  showLinks: false,
  wanted: (checkpoints) => checkpoints.filter(({ state }) => state === "alive"),
};

/**
 * Removes expired threads altogether, and expired checkpoints with their pending writes and all that
 * only they referred to. An expired checkpoint that a living one needs (the ancestors that a
 * DeltaChannel is rebuilt from, the parent that holds the sends of a checkpoint before format 4)
 * stays, invisible, until the last one that needs it is gone; it is not counted as removed before.
 *
 * Never waits for a writer, and makes none wait longer than the removal of a thread that it wants to
 * begin anew takes. Any number of processes may do it at once. What somebody holds locked all the
 * time is left for the next call.
 *
 * @throws {InvalidOptionError} for unknown or impossible options.
 *
 * @example
 * ```ts
 * const { threads, checkpoints } = await cleanupExpired(storage);
 * ```
 */
export async function cleanupExpired(
  place: Place,
  options: CleanupOptions = {},
): Promise<CleanupReport> {
  refuseUnknownKeys(options, OPTIONS, "cleanupExpired");
  const batch = countOption(options.batch ?? 100, "batch");
  return sweep(place, batch, { signal: options.signal });
}

export interface SweepConditions extends Pick<Conditions, "guard"> {
  readonly signal?: AbortSignal | undefined;
}

/** The same, ended by `guard` before any transaction for which it says no. */
export async function sweep(
  place: Place,
  batch: number,
  conditions: SweepConditions,
): Promise<CleanupReport> {
  const report = { threads: 0, checkpoints: 0 };
  if (!(await sweepThreads(place, batch, conditions, report))) return report;
  for (let attempt = 0; attempt <= SECOND_TRIES; attempt += 1) {
    if (attempt > 0) await sleep(SECOND_TRY_AFTER);
    const state = await sweepCheckpoints(place, batch, conditions, report);
    if (state !== "some left") break;
  }
  return report;
}

type Report = { threads: number; checkpoints: number };

/** Expired threads, whole; false if the guard ended it. */
async function sweepThreads(
  { database, names }: Place,
  batch: number,
  { guard, signal }: SweepConditions,
  report: Report,
): Promise<boolean> {
  const statements = expiryStatements(names);
  for (;;) {
    signal?.throwIfAborted();
    const removed = await database.transaction(async (tx) => {
      if (guard && !(await guard(tx))) return undefined;
      const rows = await tx.execute(statements.lockExpired, [batch]);
      const ids = upToSize(rows.map((row) => ({ id: row[0] ?? "", size: Number(row[1]) })));
      return ids.length === 0 ? { threads: [], ...NONE } : sweepLocked(tx, statements, ids);
    });
    if (removed === undefined) return false;
    if (removed.expired === 0) return true;
    report.threads += removed.expired;
    report.checkpoints += removed.checkpoints;
  }
}

const NONE = { expired: 0, checkpoints: 0 };

/** Checkpoints that expired in threads that did not. */
async function sweepCheckpoints(
  place: Place,
  batch: number,
  { guard, signal }: SweepConditions,
  report: Report,
): Promise<"done" | "some left" | "ended"> {
  const { database, names } = place;
  const statements = expiryStatements(names);
  const passed = new Set<string>();
  let left = false;
  for (;;) {
    signal?.throwIfAborted();
    const found = await database.execute(statements.findExpired, [PAGE, textArray([...passed])]);
    if (found.length === 0) return left ? "some left" : "done";
    const ids = found.map((row) => row[0] ?? "");
    for (let at = 0; at < ids.length; at += batch) {
      signal?.throwIfAborted();
      const some = ids.slice(at, at + batch);
      const removed = await database.transaction(async (tx) => {
        if (guard && !(await guard(tx))) return undefined;
        const rows = await tx.execute(statements.lock, [textArray(some)]);
        const locked = rows.map((row) => row[0] ?? "");
        return locked.length === 0
          ? { threads: [], ...NONE, locked }
          : { ...(await sweepLocked(tx, statements, locked)), locked };
      });
      if (removed === undefined) return "ended";
      report.threads += removed.expired;
      report.checkpoints += removed.checkpoints;
      for (const id of some.filter((one) => !removed.threads.includes(one))) {
        // What is left of it now is hidden, or somebody had it; either way it is not looked at again in this attempt.
        passed.add(id);
        if (!removed.locked.includes(id)) left = true;
        else {
          const options = { guard, signal, skipLocked: true, dropEmptyAfter: IDLE };
          const { state, freed } = await tryToRemove(place, id, ALIVE, options);
          report.checkpoints += freed.checkpoints;
          if (state !== "done") left = true;
        }
      }
    }
  }
}

/** Of the locked threads, removes those of which nothing is alive; says which. */
async function sweepLocked(
  tx: Executor,
  statements: ReturnType<typeof expiryStatements>,
  ids: readonly string[],
): Promise<{ threads: readonly string[]; expired: number; checkpoints: number }> {
  const rows = await tx.execute(statements.sweep, [textArray(ids), IDLE]);
  const threads = rows.find((row) => row[0] === "threads")?.[2] ?? "[]";
  return {
    threads: JSON.parse(threads) as string[],
    expired: countOf(rows, "threads"),
    checkpoints: countOf(rows, "checkpoints"),
  };
}

/** The first thread, and more as long as one transaction can remove them in a moment. */
function upToSize(threads: readonly { id: string; size: number }[]): string[] {
  let size = 0;
  return threads
    .filter((one, i) => {
      size += one.size;
      return i === 0 || size <= SIZE_A_TRANSACTION;
    })
    .map(({ id }) => id);
}
