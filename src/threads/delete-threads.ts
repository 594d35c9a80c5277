/** Deleting threads, and what certain runs left in them. */
import { InvalidConfigError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { textArray } from "../postgres/arrays.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { type Freed, NOTHING, sum } from "../retention/freed.ts";
import { perStore } from "../retention/per-store.ts";
import type { Selection } from "../retention/plan.ts";
import { HIDDEN } from "../retention/plan-statements.ts";
import { threadIds } from "../retention/prune-options.ts";
import { removeUnwanted } from "../retention/remove.ts";
import { removeThread } from "../retention/remove-thread.ts";
import type { Place } from "../retention/round.ts";
import { encodeName } from "../storage/names.ts";

/** How threads are deleted. */
export interface DeleteOptions {
  /** Ends the work between two threads: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What was deleted. */
export interface DeleteReport extends Freed {
  /** Threads that were deleted, or of which something was. */
  readonly threads: number;
}

const OPTIONS = ["signal"] as const satisfies readonly (keyof DeleteOptions)[];

/**
 * Deletes threads with all that they hold, one after the other; those that are not there are passed
 * over. A run that still writes to one of them gets a `ThreadConflictError`.
 *
 * @example
 * ```ts
 * const { threads, bytes } = await deleteThreads(storage, ["42", "43"]);
 * ```
 */
export async function deleteThreads(
  place: Place,
  threads: readonly string[],
  options: DeleteOptions = {},
): Promise<DeleteReport> {
  refuseUnknownKeys(options, OPTIONS, "deleteThreads");
  let report: DeleteReport = { threads: 0, ...NOTHING };
  for (const threadId of threadIds(threads, "threads")) {
    options.signal?.throwIfAborted();
    const freed = await removeThread(place, threadId);
    if (freed) report = { ...sum(report, freed), threads: report.threads + 1 };
  }
  return report;
}

/**
 * Deletes the checkpoints that these runs put, in all threads and namespaces, with their pending
 * writes and all that only they referred to. Other runs' checkpoints stay as they are, and whole: one
 * of a deleted run that they need (a DeltaChannel is rebuilt from its ancestors) becomes invisible at
 * once and goes with the last checkpoint that needs it. A thread of which nothing is left goes too.
 *
 * A run is what LangGraph is told by `run_id` in the config or its metadata.
 *
 * @example
 * ```ts
 * await deleteForRuns(storage, [runId]);
 * ```
 */
export async function deleteForRuns(
  place: Place,
  runIds: readonly string[],
  options: DeleteOptions = {},
): Promise<DeleteReport> {
  refuseUnknownKeys(options, OPTIONS, "deleteForRuns");
  const runs = new Set(checkedRuns(runIds));
  let report: DeleteReport = { threads: 0, ...NOTHING };
  if (runs.size === 0) return report;
  const selection: Selection = {
    showLinks: false,
    wanted: (checkpoints) =>
      checkpoints.filter(
        ({ executionId, state }) =>
          state !== "hidden" && (executionId === null || !runs.has(executionId)),
      ),
  };
  const found = await place.database.execute(runStatement(place.names), [textArray([...runs])]);
  for (const [threadId] of found) {
    options.signal?.throwIfAborted();
    const { signal } = options;
    const freed = await removeUnwanted(place, threadId ?? "", selection, {
      signal,
      dropEmptyAfter: 0,
    });
    report = { ...sum(report, freed), threads: report.threads + 1 };
  }
  return report;
}

const runStatement: (names: TableNames) => Statement = perStore((names) =>
  statement(
    "threads_of_runs",
    `SELECT DISTINCT c.thread_id FROM ${names.checkpoints} c
WHERE c.execution_id = ANY ($1::text[]) AND c.execution_id IS NOT NULL
  AND c.expires_at IS DISTINCT FROM ${HIDDEN} ORDER BY c.thread_id`,
  ),
);

/** The ids as their column holds them. */
function checkedRuns(runIds: unknown): string[] {
  const ids = Array.isArray(runIds) ? runIds : undefined;
  if (ids?.every((id) => typeof id === "string" && id !== "")) return ids.map(encodeName);
  throw new InvalidConfigError(
    `runIds must be an array of run ids, none of them empty; got ${describe(runIds)}.`,
  );
}
