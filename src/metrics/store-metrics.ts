/** What a store has done since it was opened. */
import type { Database } from "../postgres/database.ts";
import type { Storage } from "../storage/storage.ts";
import type { OperationMetrics, Operations } from "./operations.ts";

/** Numbers since the store was opened, of this process alone. */
export interface StoreMetrics {
  /** By operation; only those that were called. */
  readonly operations: Readonly<Record<string, OperationMetrics>>;
  /** Statements sent to the server, those of transactions included. */
  readonly statements: number;
  /** Transactions begun. */
  readonly transactions: number;
  /** Attempts beyond the first, after a connection was lost or the server asked for it. */
  readonly retries: number;
  /** The memory of what was read and written. */
  readonly cache: {
    /** Large values (those cut into pieces) that were read without asking the database for a piece. */
    readonly hits: number;
    /** Those that were not. */
    readonly misses: number;
    /** What the cache holds now. */
    readonly bytes: number;
  };
  /** Bytes of values, chunks and records that were sent to be stored, counted before chunks are compressed. */
  readonly bytesStored: number;
  /** Bytes of values that were saved and not sent, because their thread had them. */
  readonly bytesDeduplicated: number;
  /** Times that `onOperation` threw. */
  readonly hookErrors: number;
  /** The pool's connections now. */
  readonly pool: PoolStats;
}

/** A pool's connections; all 0 where the pool does not say. */
export interface PoolStats {
  /** Open connections. */
  readonly total: number;
  /** Open and unused. */
  readonly idle: number;
  /** In use. */
  readonly acquired: number;
  /** Callers that wait for one. */
  readonly waiting: number;
  /** How many may be open. */
  readonly max: number;
}

export function storeMetrics(storage: Storage, operations: Operations): StoreMetrics {
  const { database } = storage;
  const { counters } = database;
  const { cacheHits, cacheMisses, bytesStored, bytesDeduplicated } = storage.traffic;
  return {
    operations: operations.metrics(),
    statements: counters.statements,
    transactions: counters.transactions,
    retries: counters.retries,
    cache: { hits: cacheHits, misses: cacheMisses, bytes: storage.cacheBytes() },
    bytesStored,
    bytesDeduplicated,
    hookErrors: operations.hookErrors,
    pool: poolStats(database),
  };
}

export function poolStats({ pool, kept }: Pick<Database, "pool" | "kept">): PoolStats {
  const { totalCount: total = 0, waitingCount: waiting = 0 } = pool;
  const idle = Math.min(total, (pool.idleCount ?? 0) + kept());
  return { total, idle, acquired: Math.max(0, total - idle), waiting, max: pool.options?.max ?? 0 };
}
