/**
 * Builds and drops indexes without blocking writers.
 *
 * `CREATE INDEX CONCURRENTLY` cannot run in a transaction, and a session that holds a lock without
 * one breaks behind PgBouncer. So there are two connections: one holds the migration's advisory lock
 * in an open transaction that touches no table and keeps no snapshot, the other builds.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError, SchemaError } from "../errors.ts";
import type { Database, Executor } from "../postgres/database.ts";
import { isTransient } from "../postgres/failures.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import type { TableKey } from "./catalog.ts";
import { derivedName, qualifiedIndex } from "./migration-sql.ts";
import { migrationFailed } from "./refusals.ts";

/** A change of one index: the statement that makes it, and what is to be found afterwards. */
export interface IndexChange {
  readonly names: TableNames;
  /** What follows the table's name and `_` in the index's name. */
  readonly suffix: string;
  readonly text: string;
  readonly wanted: "valid" | "missing";
}

/** One connection holds the lock, one builds, and one now and then looks at the one that builds. */
const CONNECTIONS = 3;
/** How often it is looked whether the build waits for a lock, in milliseconds. */
const WATCH_INTERVAL = 500;
/** How often a build is begun in all. */
const ATTEMPTS = 3;

/**
 * Whether it is worth building an index of the table concurrently. Where the table is empty there is
 * nobody to block, and `CONCURRENTLY` would wait for every older transaction of the whole database:
 * a first set-up must not hang on somebody's backup. Where the pool has too few connections (the
 * embedded database has one) it cannot be done.
 */
export async function wantsConcurrently(
  db: Database,
  names: TableNames,
  table: TableKey,
): Promise<boolean> {
  if ((db.pool.options?.max ?? CONNECTIONS) < CONNECTIONS) return false;
  const [row] = await db.execute(
    statement("migration_rows", `SELECT EXISTS (SELECT 1 FROM ${names[table]})::text`),
    [],
  );
  return row?.[0] === "true";
}

/**
 * Makes the change in the transaction. Writers of the table wait until it has ended. `fresh` where the
 * transaction has made the table itself.
 */
export async function changeInTransaction(
  tx: Executor,
  change: IndexChange,
  fresh = false,
): Promise<void> {
  // IF NOT EXISTS in the statement would take the leftover of a crash for the index.
  if (!fresh && (await indexState(tx, change)) === "invalid") {
    const index = qualifiedIndex(change.names, change.suffix);
    await tx.execute(statement("index_drop", `DROP INDEX ${index}`), []);
  }
  await tx.execute(statement("index_change", change.text), []);
}

/**
 * Makes the change outside a transaction, and clears away what a crash has left. The caller holds
 * the migration's lock. A build that waits for other transactions longer than `lockTimeout` is
 * cancelled, its leftover dropped.
 */
export async function changeConcurrently(
  db: Database,
  change: IndexChange,
  lockTimeout: number,
): Promise<void> {
  let failure: unknown = new SchemaError(
    "MIGRATION_FAILED",
    `The index ${qualifiedIndex(change.names, change.suffix)} was changed by somebody else meanwhile. Try again.`,
  );
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const state = await indexState(db, change);
    if (state === change.wanted) return;
    if (state === "invalid") await dropConcurrently(db, change, lockTimeout);
    try {
      await watched(db, change.text, lockTimeout);
    } catch (error) {
      failure = error;
      // A deadlock or a lost connection; anything else would come of the next build, too.
      if (!isTransient(error)) break;
    }
  }
  const state = await indexState(db, change);
  if (state === change.wanted) return;
  if (state === "invalid") {
    // The next migration tries again if this fails.
    await dropConcurrently(db, change, WATCH_INTERVAL).catch(() => {});
  }
  throw failure;
}

function isCancelled(error: unknown): boolean {
  return error instanceof DatabaseError && error.sqlState === "57014";
}

function dropConcurrently(db: Database, change: IndexChange, lockTimeout: number): Promise<void> {
  const index = qualifiedIndex(change.names, change.suffix);
  return watched(db, `DROP INDEX CONCURRENTLY IF EXISTS ${index}`, lockTimeout);
}

const INDEX_STATE = statement(
  "index_state",
  `SELECT i.indisvalid::text FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relname = $2::text`,
);

export async function indexState(
  db: Executor,
  { names, suffix }: IndexChange,
): Promise<"valid" | "invalid" | "missing"> {
  const params = [names.schemaName, derivedName(names, suffix)];
  const [row] = await db.execute(INDEX_STATE, params);
  return row === undefined ? "missing" : row[0] === "true" ? "valid" : "invalid";
}

// `lock_timeout` would have to be set for the session, which behind PgBouncer is somebody else's the
// next moment. So the statement carries a mark, by which another connection finds and cancels it.
const CANCEL_WAITING = statement(
  "index_cancel",
  `SELECT pid::text, pg_blocking_pids(pid)::text, ($2::boolean AND pg_cancel_backend(pid))::text
  FROM pg_catalog.pg_stat_activity
  WHERE starts_with(query, $1::text) AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`,
);

/** Runs a statement that may take hours, but does not let it wait for locks beyond `lockTimeout`. */
async function watched(db: Database, text: string, lockTimeout: number): Promise<void> {
  const mark = `/* langgraph-postgres ${randomUUID()} */`;
  const done = new AbortController();
  // Not repeated: after a lost connection the index may be half built, which has to be looked at.
  const options = { retry: false, deadline: Number.POSITIVE_INFINITY };
  const building = db
    .execute(statement("index_change", `${mark} ${text}`), [], options)
    .finally(() => done.abort());
  let blockers: string | null | undefined;
  const watching = (async () => {
    let waited = 0;
    let last = performance.now();
    while (!done.signal.aborted) {
      const pause = Math.min(WATCH_INTERVAL, Math.max(10, lockTimeout - waited));
      await sleep(pause, undefined, { signal: done.signal }).catch(() => {});
      if (done.signal.aborted) return;
      const now = performance.now();
      const enough = waited + (now - last) >= lockTimeout;
      // A look that fails is made up for by the next one.
      const rows = await db.execute(CANCEL_WAITING, [mark, enough]).catch(() => []);
      const row = rows[0];
      waited = row === undefined ? 0 : waited + (now - last);
      last = now;
      if (row !== undefined && enough) blockers = row[1];
    }
  })();
  try {
    await building;
  } catch (error) {
    // The build may end before the answer to the statement that cancelled it is here.
    await watching;
    if (blockers === undefined || !isCancelled(error)) throw error;
    throw migrationFailed(
      `An index could not be changed: it waited ${lockTimeout / 1000} s for transactions of the server processes ${blockers} and was cancelled. ` +
        "Try again when they have ended, or raise lockTimeout.",
      error,
    );
  } finally {
    await watching;
  }
}
