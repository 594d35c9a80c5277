import type { DbPool } from "./driver.ts";

const ignore = (): void => {};
/** How many databases use a pool. */
const users = new WeakMap<DbPool, number>();

/**
 * Keeps the process alive when an idle connection of the pool dies: `pg` raises an `error` event
 * then, and an `error` event without a listener ends the process. The pool has replaced the
 * connection by then, so there is nothing else to do. The listener goes when the last database on
 * the pool has stopped listening.
 */
export function listenForErrors(pool: DbPool): () => void {
  const before = users.get(pool) ?? 0;
  users.set(pool, before + 1);
  if (before === 0) pool.on?.("error", ignore);
  return () => {
    const left = (users.get(pool) ?? 1) - 1;
    users.set(pool, left);
    if (left === 0) pool.removeListener?.("error", ignore);
  };
}
