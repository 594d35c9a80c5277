/** Deleting single checkpoints, and what only they needed. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { checkName, checkThreadId } from "../storage/names.ts";
import { type CheckpointStub, keyOf } from "./keep-set.ts";
import { perStore } from "./per-store.ts";
import { removeUnwanted } from "./remove.ts";
import type { Place } from "./round.ts";

/**
 * Deletes the checkpoint with that id, of whichever namespace, in one thread or in all that hold it.
 * Returns how many could be seen and are gone; none is fine. The work is in proportion to the thread:
 * what nothing else refers to is found and removed with it.
 */
export async function deleteCheckpoint(
  place: Place,
  id: string,
  threadId?: string,
): Promise<number> {
  const name = checkName("checkpoint_id", id);
  const threads =
    threadId === undefined
      ? await threadsOf(place, ofStore(place.names).threadsOfId, name)
      : [checkThreadId(threadId)];
  return removeFrom(place, threads, (one) => one.id === name);
}

/** Deletes every checkpoint of an execution, in all threads; returns how many could be seen. */
export async function clearExecution(place: Place, executionId: string): Promise<number> {
  const name = checkName("execution_id", executionId);
  const threads = await threadsOf(place, ofStore(place.names).threadsOfExecution, name);
  return removeFrom(place, threads, (one) => one.executionId === name);
}

async function removeFrom(
  place: Place,
  threads: readonly string[],
  isDoomed: (one: CheckpointStub) => boolean,
): Promise<number> {
  let count = 0;
  for (const threadId of threads) {
    // Several plans may be made until one holds; what each of them doomed is counted once.
    const seen = new Set<string>();
    const wanted = (checkpoints: readonly CheckpointStub[]): CheckpointStub[] =>
      checkpoints.filter((one) => {
        if (!isDoomed(one)) return one.state !== "hidden";
        if (one.state === "alive") seen.add(keyOf(one.namespace, one.id));
        return false;
      });
    await removeUnwanted(place, threadId, { wanted, showLinks: false }, { dropEmptyAfter: 0 });
    count += seen.size;
  }
  return count;
}

async function threadsOf({ database }: Place, which: Statement, name: string): Promise<string[]> {
  return (await database.execute(which, [name])).map((row) => row[0] ?? "");
}

const ofStore: (names: TableNames) => Record<"threadsOfId" | "threadsOfExecution", Statement> =
  perStore((names) => ({
    threadsOfId: statement(
      "threads_of_id",
      `SELECT DISTINCT c.thread_id FROM ${names.checkpoints} c WHERE c.checkpoint_id = $1 ORDER BY 1`,
    ),
    threadsOfExecution: statement(
      "threads_of_execution",
      `SELECT DISTINCT c.thread_id FROM ${names.checkpoints} c WHERE c.execution_id = $1 ORDER BY 1`,
    ),
  }));
