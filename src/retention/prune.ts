/** Pruning: old checkpoints go, and what only they needed goes with them. */
import type { Param } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { type Freed, NOTHING, sum } from "./freed.ts";
import { keepLast } from "./keep-last.ts";
import { perStore } from "./per-store.ts";
import { type PruneOptions, type PruneReport, resolvePrune } from "./prune-options.ts";
import { countUnwanted, removeUnwanted } from "./remove.ts";
import { countThread, removeThread } from "./remove-thread.ts";
import type { Conditions, Place } from "./round.ts";

/** Threads that are listed at a time. */
const PAGE = 500;

/**
 * Removes old checkpoints with their pending writes, then every value and every chunk that nothing
 * refers to any more. What stays is whole: beyond the newest of each namespace, the ancestors that a
 * DeltaChannel is rebuilt from, back to its snapshot, and the parent that holds the sends of a
 * checkpoint before format 4. Such an ancestor is hidden where it is not whole itself.
 *
 * Each thread is locked for itself and for a moment, a long one several times, so graphs may run
 * meanwhile; a write that comes after a prune is whole whatever its writer knew before. It may be
 * stopped and repeated at any time.
 *
 * @throws {InvalidOptionError} for unknown, missing or impossible options; nothing was removed.
 * @throws The reason of `signal` once it aborts; `onProgress` told what had been done.
 *
 * @example
 * ```ts
 * const { checkpoints, bytes } = await prune(storage, { olderThan: "30d", keepLast: 10 });
 * ```
 */
export async function prune(place: Place, options: PruneOptions): Promise<PruneReport> {
  const resolved = resolvePrune(options);
  const { dryRun, writtenBefore, threads } = resolved;
  const { signal, onProgress } = options;
  const conditions: Conditions = { writtenSince: writtenBefore };
  const selection = keepLast(resolved.keepLast, resolved.removeSubgraphRuns);

  /** What went, or would go; undefined where there was no such thread. */
  const one = (threadId: string): Promise<Freed | undefined> => {
    if (resolved.keepLast === 0) {
      return dryRun ? countThread(place, threadId) : removeThread(place, threadId, conditions);
    }
    return dryRun
      ? countUnwanted(place, threadId, selection)
      : removeUnwanted(place, threadId, selection, { ...conditions, signal });
  };

  signal?.throwIfAborted();
  const total = threads?.length ?? (await countThreads(place, writtenBefore));
  let report: PruneReport = { dryRun, examined: 0, threads: 0, ...NOTHING };
  for await (const threadId of threads ?? threadsOf(place, writtenBefore)) {
    signal?.throwIfAborted();
    const freed = await one(threadId);
    const changed = freed !== undefined && (resolved.keepLast === 0 || freed.bytes > 0);
    report = {
      ...report,
      ...sum(report, freed ?? NOTHING),
      examined: report.examined + 1,
      threads: report.threads + (changed ? 1 : 0),
    };
    onProgress?.({ ...report, threadId, total });
  }
  return report;
}

interface ListStatements {
  /** `$1` milliseconds since the epoch or NULL. */
  readonly count: Statement;
  /** `$1` as above, `$2` the last id seen, `$3` how many. */
  readonly page: Statement;
}

const listStatements: (names: TableNames) => ListStatements = perStore((names) => {
  const due = "($1::int8 IS NULL OR t.updated_at < to_timestamp($1::int8 / 1000.0))";
  return {
    count: statement("count_threads", `SELECT count(*)::text FROM ${names.threads} t WHERE ${due}`),
    page: statement(
      "page_of_threads",
      `SELECT t.thread_id FROM ${names.threads} t WHERE ${due} AND t.thread_id > $2 COLLATE "C"
ORDER BY t.thread_id LIMIT $3::int8`,
    ),
  };
});

async function countThreads({ database, names }: Place, before?: number): Promise<number> {
  const rows = await database.execute(listStatements(names).count, [before ?? null]);
  return Number(rows[0]?.[0]);
}

/** Page by page in the order of their ids: threads that come or go meanwhile shift nothing. */
async function* threadsOf({ database, names }: Place, before?: number): AsyncGenerator<string> {
  const { page } = listStatements(names);
  for (let last = ""; ; ) {
    const parameters: Param[] = [before ?? null, last, PAGE];
    const ids = (await database.execute(page, parameters)).map((row) => row[0] ?? "");
    yield* ids;
    if (ids.length < PAGE) return;
    last = ids.at(-1) ?? "";
  }
}
