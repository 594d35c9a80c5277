/** What may be asked of `prune`, checked before anything is done. */
import { InvalidOptionError } from "../errors.ts";
import { type Duration, describe, parseDuration, refuseUnknownKeys } from "../options.ts";
import { checkThreadId } from "../storage/names.ts";
import type { Freed } from "./freed.ts";

/**
 * What to prune and what to keep. Exactly one of `threads`, `olderThan` and `all`, and exactly one of
 * `keepLast` and `strategy`.
 *
 * @example
 * ```ts
 * await store.prune({ olderThan: "30d", strategy: "delete" });
 * await store.prune({ threads: ["42"], keepLast: 10, dryRun: true });
 * ```
 */
export interface PruneOptions {
  /** These threads. Unknown ones are passed over. Exactly one of `threads`, `olderThan`, `all`. */
  readonly threads?: readonly string[];
  /** The threads that were last written to before this time, or longer ago than this. */
  readonly olderThan?: Duration | Date;
  /** Every thread. */
  readonly all?: true;
  /**
   * How many checkpoints to keep of each namespace, the newest ones: 1 or more. What they need to be
   * whole stays besides. Exactly one of `keepLast` and `strategy`.
   */
  readonly keepLast?: number;
  /** `"keep_latest"` is `keepLast: 1`; `"delete"` removes the threads altogether. */
  readonly strategy?: "keep_latest" | "delete";
  /**
   * What to do with the namespace of a subgraph's run once the checkpoint that ran it is gone, and
   * nothing but its id leads there: `"keep"` its newest checkpoints like any others (the default), or
   * `"remove"` them.
   */
  readonly subgraphRuns?: "keep" | "remove";
  /** Only count what would go. */
  readonly dryRun?: boolean;
  /** Ends the work at a clean point: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each thread. */
  readonly onProgress?: (progress: PruneProgress) => void;
}

/** What was removed, or in a dry run what would be. */
export interface PruneReport extends Freed {
  /** Whether it was only counted. */
  readonly dryRun: boolean;
  /** Threads that were looked at. */
  readonly examined: number;
  /** Threads of which something was removed. */
  readonly threads: number;
}

/** What was removed so far. */
export interface PruneProgress extends PruneReport {
  /** The thread that was done last. */
  readonly threadId: string;
  /** How many threads there are to look at, as counted at the beginning. */
  readonly total: number;
}

/** {@link PruneOptions} as `prune` goes by them. */
export interface ResolvedPrune {
  readonly threads: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly writtenBefore: number | undefined;
  /** 0 removes threads altogether. */
  readonly keepLast: number;
  readonly removeSubgraphRuns: boolean;
  readonly dryRun: boolean;
}

const OPTIONS = [
  "threads",
  "olderThan",
  "all",
  "keepLast",
  "strategy",
  "subgraphRuns",
  "dryRun",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof PruneOptions)[];

const STRATEGIES: Readonly<Record<string, number>> = { keep_latest: 1, delete: 0 };

/** Throws {@link InvalidOptionError} for what is unknown, missing, contradictory or out of range. */
export function resolvePrune(options: PruneOptions): ResolvedPrune {
  refuseUnknownKeys(options, OPTIONS, "prune");
  const { threads, olderThan, all, keepLast, strategy, subgraphRuns = "keep" } = options;
  exactlyOne({ threads, olderThan, all }, "which threads");
  exactlyOne({ keepLast, strategy }, "what to keep");
  if (all !== undefined && (all as unknown) !== true) {
    throw new InvalidOptionError(`all must be true where it is given, got ${describe(all)}.`);
  }
  if (subgraphRuns !== "keep" && subgraphRuns !== "remove") {
    throw new InvalidOptionError(
      `subgraphRuns must be "keep" or "remove", got ${describe(subgraphRuns)}.`,
    );
  }
  return {
    threads: threads && threadIds(threads, "threads"),
    writtenBefore: olderThan === undefined ? undefined : timeOf(olderThan),
    keepLast: keepLast === undefined ? strategyOf(strategy) : countOption(keepLast, "keepLast"),
    removeSubgraphRuns: subgraphRuns === "remove",
    dryRun: flag(options.dryRun ?? false),
  };
}

/** A whole number above zero: nothing that is not one may come to mean "everything". */
export function countOption(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(
    `${what} must be a whole number of 1 or more, got ${describe(value)}.`,
  );
}

/** Thread ids, each once, or an error that says what is wrong. */
export function threadIds(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) {
    throw new InvalidOptionError(`${what} must be an array of thread ids, got ${describe(value)}.`);
  }
  return [...new Set(value.map(checkThreadId))];
}

function exactlyOne(given: Record<string, unknown>, what: string): void {
  const names = Object.keys(given).map((name) => `\`${name}\``);
  const set = Object.values(given).filter((value) => value !== undefined).length;
  if (set === 1) return;
  throw new InvalidOptionError(
    `prune must be told ${what} by exactly one of ${names.join(", ")}; ${set === 0 ? "none" : "more than one"} was given.`,
  );
}

function strategyOf(strategy: unknown): number {
  const keep = typeof strategy === "string" ? STRATEGIES[strategy] : undefined;
  if (keep !== undefined && Object.hasOwn(STRATEGIES, String(strategy))) return keep;
  throw new InvalidOptionError(
    `strategy must be "keep_latest" or "delete", got ${describe(strategy)}.`,
  );
}

function timeOf(olderThan: unknown): number {
  if (!(olderThan instanceof Date))
    return Math.floor(Date.now() - parseDuration(olderThan, "olderThan"));
  const time = olderThan.getTime();
  if (Number.isNaN(time)) throw new InvalidOptionError("olderThan is an invalid date.");
  return time;
}

function flag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new InvalidOptionError(`dryRun must be true or false, got ${describe(value)}.`);
}
