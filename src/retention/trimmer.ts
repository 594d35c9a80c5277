/** Prunes threads as they grow, beside the writes that make them grow. */
import { dropOldest } from "../drop-oldest.ts";
import { refuseUnknownKeys } from "../options.ts";
import { keepLast } from "./keep-last.ts";
import { tell } from "./listener.ts";
import { countOption } from "./prune-options.ts";
import { removeUnwanted } from "./remove.ts";
import type { Place } from "./round.ts";

export interface TrimmerOptions {
  /** How many checkpoints of each namespace a prune keeps. A thread has half as many more at most. */
  readonly maxCheckpoints: number;
  /** As for `prune`. Default `"remove"`: else an agent with subgraphs would grow all the same. */
  readonly subgraphRuns?: "keep" | "remove";
  /** Told when a prune failed; the thread's next one comes all the same. Default: nobody is told. */
  readonly onError?: (error: unknown) => void;
}

export interface Trimmer {
  /** To be called after each put. Returns at once and never fails. */
  putInto(threadId: string): void;
  /** Waits until all that is due is pruned. */
  idle(): Promise<void>;
  /** Ends the prune that is under way at a clean point, and forgets what was due. Never fails. */
  close(): Promise<void>;
}

const OPTIONS = [
  "maxCheckpoints",
  "subgraphRuns",
  "onError",
] as const satisfies readonly (keyof TrimmerOptions)[];
/** Threads whose puts are counted; of more, the one that was put into longest ago is forgotten. */
const COUNTED = 10_000;

/**
 * A thread is pruned after every half of `maxCheckpoints` puts, which makes the work for each put
 * constant. One thread at a time, on one connection.
 *
 * A process counts from a random number: one that puts a few times and ends, as functions in a cloud
 * do, prunes as often in the mean as one that runs for ever.
 */
export function createTrimmer(place: Place, options: TrimmerOptions): Trimmer {
  refuseUnknownKeys(options, OPTIONS, "createTrimmer");
  const limit = countOption(options.maxCheckpoints, "maxCheckpoints");
  const selection = keepLast(limit, (options.subgraphRuns ?? "remove") === "remove");
  const step = Math.max(1, Math.floor(limit / 2));
  // A Map keeps insertion order: its front is what was put into longest ago.
  const puts = new Map<string, number>();
  const due = new Set<string>();
  const stop = new AbortController();
  let work: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    for (const threadId of due) {
      due.delete(threadId);
      try {
        await removeUnwanted(place, threadId, selection, { signal: stop.signal });
      } catch (error) {
        if (!stop.signal.aborted) tell(options.onError, error);
      }
    }
    work = undefined;
  };

  return {
    putInto(threadId) {
      if (stop.signal.aborted) return;
      const count = (puts.get(threadId) ?? Math.floor(Math.random() * step)) + 1;
      puts.delete(threadId);
      puts.set(threadId, count % step);
      dropOldest(puts, COUNTED);
      if (count < step) return;
      due.add(threadId);
      work ??= run();
    },
    async idle() {
      while (work !== undefined) await work;
    },
    async close() {
      stop.abort();
      due.clear();
      await work;
    },
  };
}
