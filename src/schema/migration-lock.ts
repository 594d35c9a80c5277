/** One migrator at a time: an advisory lock that ends with its transaction. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError, SchemaError } from "../errors.ts";
import type { Database, Transaction } from "../postgres/database.ts";
import { isTransient } from "../postgres/failures.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import { migrationFailed } from "./refusals.ts";

/** Milliseconds that a migration waits for locks in all when nothing else is said. */
export const DEFAULT_LOCK_TIMEOUT = 60_000;

/**
 * Longest wait for the lock on a table, in milliseconds. Everybody who wants the table queues behind
 * a migration that waits for it, so it steps back after this time and tries again.
 */
const TABLE_LOCK_WAIT = 4_000;

/** Longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE = 150;

/** The lock of a table was not to be had in time. */
const LOCK_NOT_AVAILABLE = "55P03";
/** Two that create one schema at once: the second finds its name taken in one way or the other. */
const NAME_TAKEN: ReadonlySet<string> = new Set(["23505", "42P06"]);

export interface LockOptions {
  readonly names: TableNames;
  /** One lock for each store; one for each schema, which several stores may want to create at once. */
  readonly of: "tables" | "schema";
  /** What is being done, for errors: `Migration 2 (created_index, up)`. */
  readonly what: string;
  readonly lockTimeout: number;
}

/**
 * Runs `work` in a transaction that holds the lock, and again while others are in the way, but not
 * beyond `lockTimeout`. `work` must look what state it finds: an attempt whose COMMIT was not
 * answered is repeated too.
 *
 * Nobody waits for the lock inside the server. Who waits in a statement holds a snapshot, and the
 * `CREATE INDEX CONCURRENTLY` of the lock's holder would wait for that snapshot to end.
 */
export async function withMigrationLock<T>(
  db: Database,
  options: LockOptions,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const { lockTimeout, what } = options;
  const began = performance.now();
  for (;;) {
    const left = lockTimeout - (performance.now() - began);
    let obstacle: DatabaseError | "lock";
    try {
      const outcome = await attempt(db, options, Math.min(left, TABLE_LOCK_WAIT), work);
      if (outcome !== "busy") return outcome.result;
      obstacle = "lock";
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (!mayPass(error, options)) {
        throw migrationFailed(`${what} failed and was rolled back. ${error.message}`, error);
      }
      obstacle = error;
    }
    if (left <= 0) throw givingUp(options, obstacle);
    await sleep(LONGEST_PAUSE * (0.2 + 0.8 * Math.random()));
  }
}

/** Whether the same attempt may succeed later. */
function mayPass(error: DatabaseError, { of }: LockOptions): boolean {
  const { sqlState = "" } = error;
  return (
    sqlState === LOCK_NOT_AVAILABLE ||
    (of === "schema" && NAME_TAKEN.has(sqlState)) ||
    isTransient(error)
  );
}

async function attempt<T>(
  db: Database,
  { names, of }: LockOptions,
  tableLockWait: number,
  work: (tx: Transaction) => Promise<T>,
): Promise<{ readonly result: T } | "busy"> {
  return db.transaction(
    async (tx) => {
      if (!(await tryLock(tx, lockKey(names, of)))) return "busy";
      await boundLockWaits(tx, tableLockWait);
      return { result: await work(tx) };
    },
    { retry: false, deadline: Number.POSITIVE_INFINITY },
  );
}

const TRY_LOCK = statement("migration_lock", "SELECT pg_try_advisory_xact_lock($1::int8)::text");

async function tryLock(tx: Transaction, key: bigint): Promise<boolean> {
  const [row] = await tx.execute(TRY_LOCK, [key]);
  return row?.[0] === "true";
}

/** The key of the advisory lock. */
export function lockKey(names: TableNames, of: "tables" | "schema"): bigint {
  const text = ["langgraph-postgres", of, names.schemaName, of === "tables" ? names.tableName : ""];
  return createHash("sha256").update(text.join("\0")).digest().readBigInt64BE(0);
}

// Lifts the timeouts that a role or a database may carry and that must not end a long migration.
// Of those that this server does not know (transaction_timeout before 17) current_setting says NULL;
// to ask pg_settings would take longer than the making of a table.
const SETTINGS = statement(
  "migration_settings",
  `SELECT count(set_config(name, CASE name WHEN 'lock_timeout' THEN $1::text ELSE '0' END, true))::text
  FROM unnest('{lock_timeout,statement_timeout,idle_in_transaction_session_timeout,transaction_timeout}'::text[]) AS name
  WHERE current_setting(name, true) IS NOT NULL`,
);

async function boundLockWaits(tx: Transaction, wait: number): Promise<void> {
  await tx.execute(SETTINGS, [String(Math.max(1, Math.ceil(wait)))]);
}

/**
 * Makes an idle transaction harmless to `CREATE INDEX CONCURRENTLY`. It keeps the snapshot of its
 * last query while that query's portal is open, and the driver closes no portals; a statement that
 * needs no snapshot takes the portal's place.
 */
export async function letGoOfSnapshot(tx: Transaction): Promise<void> {
  const text = "SET LOCAL application_name = 'langgraph-postgres migration lock'";
  await tx.execute(statement("migration_idle", text), []);
}

function givingUp(
  { what, lockTimeout }: LockOptions,
  obstacle: DatabaseError | "lock",
): SchemaError | DatabaseError {
  if (obstacle !== "lock" && obstacle.sqlState !== LOCK_NOT_AVAILABLE) return obstacle;
  const seconds = `${lockTimeout / 1000} s`;
  return obstacle === "lock"
    ? new SchemaError(
        "MIGRATION_FAILED",
        `${what} waited ${seconds} for another process that migrates the same tables. Try again when it has ended, or raise lockTimeout.`,
      )
    : migrationFailed(
        `${what} could not lock a table within ${seconds} and changed nothing. Try again when long transactions have ended, or raise lockTimeout.`,
        obstacle,
      );
}
