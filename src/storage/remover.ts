/** Removing whole threads. */
import type { Database, Executor } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";

export interface Remover {
  /** Removes the thread and everything of it; false if there was none. */
  remove(threadId: string, executor?: Executor): Promise<boolean>;
  /** The same, if the thread has expired. */
  removeExpired(threadId: string, executor?: Executor): Promise<boolean>;
}

export function createRemover(database: Database, names: TableNames): Remover {
  const lock = (label: string, condition: string) =>
    statement(
      label,
      `SELECT 'locked' FROM ${names.threads} WHERE thread_id = $1 ${condition} FOR UPDATE`,
    );
  const lockAny = lock("lock_thread", "");
  const lockExpired = lock("lock_expired", "AND expires_at <= now()");
  const removeAll = statement(
    "remove_thread",
    `WITH w AS (DELETE FROM ${names.writes} WHERE thread_id = $1),
  c AS (DELETE FROM ${names.checkpoints} WHERE thread_id = $1),
  v AS (DELETE FROM ${names.values} WHERE thread_id = $1),
  k AS (DELETE FROM ${names.chunks} WHERE thread_id = $1)
DELETE FROM ${names.threads} WHERE thread_id = $1`,
  );

  // Two statements, not one: the second's snapshot must be taken after the lock was granted, or
  // rows that a writer committed while we waited for it would be left behind.
  const removeLocked = async (tx: Executor, lockStatement: typeof lockAny, threadId: string) => {
    const locked = await tx.execute(lockStatement, [threadId]);
    if (locked.length === 0) return false;
    await tx.execute(removeAll, [threadId]);
    return true;
  };

  return {
    remove: (threadId, executor) =>
      executor
        ? removeLocked(executor, lockAny, threadId)
        : database.transaction((tx) => removeLocked(tx, lockAny, threadId)),
    removeExpired: (threadId, executor) =>
      executor
        ? removeLocked(executor, lockExpired, threadId)
        : database.transaction((tx) => removeLocked(tx, lockExpired, threadId)),
  };
}
