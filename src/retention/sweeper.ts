/** Removes what has expired, again and again, in the background. */
import { LangGraphPostgresError } from "../errors.ts";
import { type Duration, parseDuration, refuseUnknownKeys } from "../options.ts";
import type { Executor } from "../postgres/database.ts";
import { type CleanupReport, sweep } from "./expiry.ts";
import { expiryStatements } from "./expiry-statements.ts";
import { tell } from "./listener.ts";
import { countOption } from "./prune-options.ts";
import type { Place } from "./round.ts";

/** How what has expired is removed in the background. */
export interface SweeperOptions {
  /** How long to wait between two sweeps. Default `"1m"`. */
  readonly interval?: Duration;
  /** As for `cleanupExpired`. */
  readonly batch?: number;
  /** Told when a sweep failed; the next one comes all the same. Default: nobody is told. */
  readonly onError?: (error: unknown) => void;
  /** Told after each sweep. */
  readonly onSweep?: (report: CleanupReport) => void;
}

export interface Sweeper extends AsyncDisposable {
  /** Ends the sweep that is under way at a clean point, and all to come. Never fails. */
  close(): Promise<void>;
}

const OPTIONS = [
  "interval",
  "batch",
  "onError",
  "onSweep",
] as const satisfies readonly (keyof SweeperOptions)[];

/**
 * Sweeps at every interval, the first time after a random part of one. Every process of a fleet may
 * have a sweeper: they take turns, one at a time. It keeps no process alive and holds no connection
 * between two transactions.
 *
 * @throws {InvalidOptionError} for unknown or impossible options.
 *
 * @example
 * ```ts
 * await using sweeper = startSweeper(storage, { interval: "5m", onError: (error) => log(error) });
 * ```
 */
export function startSweeper(place: Place, options: SweeperOptions = {}): Sweeper {
  refuseUnknownKeys(options, OPTIONS, "startSweeper");
  const interval = parseDuration(options.interval ?? "1m", "interval");
  const batch = countOption(options.batch ?? 100, "batch");
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let underWay: Promise<void> = Promise.resolve();

  const wait = (ms: number): void => {
    // A longer timer than that would fire at once.
    timer = setTimeout(
      () => {
        underWay = once();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timer.unref();
  };

  const once = async (): Promise<void> => {
    try {
      const report = await sweep(place, batch, { guard: alone(place), signal: stop.signal });
      options.onSweep?.(report);
    } catch (error) {
      if (!stop.signal.aborted) tell(options.onError, error);
      if (error instanceof LangGraphPostgresError && error.code === "CLOSED") return;
    }
    if (!stop.signal.aborted) wait(interval);
  };

  const close = (): Promise<void> => {
    stop.abort();
    clearTimeout(timer);
    return underWay;
  };

  wait(interval * Math.random());
  return { close, [Symbol.asyncDispose]: close };
}

/** Whether this transaction is the only one that sweeps the store. The lock ends with it. */
function alone({ names }: Place): (tx: Executor) => Promise<boolean> {
  const { tryAlone } = expiryStatements(names);
  const key = `langgraph-postgres sweep ${names.checkpoints}`;
  return async (tx) => (await tx.execute(tryAlone, [key]))[0]?.[0] === "true";
}
