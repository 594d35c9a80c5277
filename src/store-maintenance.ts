/** The half of a store that is about threads as a whole, retention and the tables. */
import type { Operations } from "./metrics/operations.ts";
import {
  type PoolStats,
  poolStats,
  type StoreMetrics,
  storeMetrics,
} from "./metrics/store-metrics.ts";
import { type CleanupOptions, type CleanupReport, cleanupExpired } from "./retention/expiry.ts";
import { prune } from "./retention/prune.ts";
import { type PruneOptions, type PruneReport, threadIds } from "./retention/prune-options.ts";
import { type MigrateOptions, type MigrateResult, migrate } from "./schema/migrator.ts";
import { getSchemaVersion } from "./schema/schema-version.ts";
import type { Storage } from "./storage/storage.ts";
import { type CopiedThread, copyThread } from "./threads/copy-thread.ts";
import {
  type DeleteOptions,
  type DeleteReport,
  deleteForRuns,
  deleteThreads,
} from "./threads/delete-threads.ts";
import { acquireThread, type Lease, type LeaseOptions } from "./threads/lease.ts";
import {
  getThread,
  type ListThreadsOptions,
  listThreads,
  type ThreadInfo,
  type ThreadPage,
} from "./threads/list-threads.ts";
import { type ReencryptOptions, type ReencryptReport, reencrypt } from "./threads/reencrypt.ts";
import { type StoreStats, stats } from "./threads/stats.ts";

export abstract class StoreMaintenance {
  protected readonly storage: Storage;
  protected readonly operations: Operations;

  protected constructor(storage: Storage, operations: Operations) {
    this.storage = storage;
    this.operations = operations;
  }

  /**
   * Creates the tables, or updates them. Safe to call at any time, by any number of processes at once.
   *
   * @throws {SchemaError} `FOREIGN_TABLES`, `SCHEMA_TOO_NEW`, `MIGRATION_FAILED`.
   */
  initSchema(): Promise<MigrateResult> {
    return this.run("initSchema", undefined, () => this.storage.setup());
  }

  /** The same under the name by which an update of an existing database is looked for. */
  migrateSchema(): Promise<MigrateResult> {
    return this.run("migrateSchema", undefined, () => this.storage.setup());
  }

  /** The version that the tables are at; 0 where there are none. */
  getSchemaVersion(): Promise<number> {
    const { bare, names } = this.storage;
    return this.run("getSchemaVersion", undefined, () => getSchemaVersion(bare, names));
  }

  /**
   * Brings the tables to a version, up or down; 0 removes them. A step down that would lose rows is
   * refused (`DATA_LOSS_REFUSED`) unless `{ allowDataLoss: true }`.
   *
   * @throws {SchemaError} for a refusal, or a step that failed; what was reached before it stays.
   */
  migrateTo(version: number, options: Omit<MigrateOptions, "to"> = {}): Promise<MigrateResult> {
    const { bare, names } = this.storage;
    return this.run("migrateTo", undefined, () =>
      migrate(bare, names, { ...options, to: version }),
    );
  }

  /** Removes what has expired, at once, and says how much it was. The sweeper does it in the background. */
  cleanupExpired(options: CleanupOptions = {}): Promise<CleanupReport> {
    return this.run("cleanupExpired", undefined, () => cleanupExpired(this.storage, options));
  }

  /**
   * Removes old checkpoints, and everything that only they needed. What stays is whole. One thread a
   * transaction; it can be stopped by a signal and called again.
   *
   * @throws {InvalidOptionError} for unknown, missing, contradictory or impossible options.
   *
   * @example
   * ```ts
   * const { checkpoints, bytes } = await store.prune({ olderThan: "30d", keepLast: 10 });
   * ```
   */
  prune(options: PruneOptions): Promise<PruneReport> {
    return this.run("prune", undefined, async () => {
      for (const threadId of options?.threads ?? []) await this.storage.adoption?.touch(threadId);
      return prune(this.storage, options);
    });
  }

  /**
   * Copies a thread, graphs' checkpoints and records alike, inside the database; undefined where there is
   * none. From then on the two have nothing in common.
   *
   * @throws {ThreadExistsError} if there is a thread `to`; nothing was copied.
   *
   * @example
   * ```ts
   * await store.copyThread("42", "42-what-if");
   * ```
   */
  copyThread(from: string, to: string): Promise<CopiedThread | undefined> {
    return this.run("copyThread", from, async () => {
      await this.storage.adoption?.touch(to);
      return copyThread(this.storage, from, to);
    });
  }

  /**
   * Rewrites what is not under the first key of `encryption`, thread by thread: after a new key was put
   * in front, or with `allowPlaintext: true` what was stored before there was one.
   */
  reencrypt(options: ReencryptOptions = {}): Promise<ReencryptReport> {
    return this.run("reencrypt", undefined, () => reencrypt(this.storage, options));
  }

  /** The thread with its counts and sizes; undefined where there is none. */
  getThread(threadId: string): Promise<ThreadInfo | undefined> {
    return this.run("getThread", threadId, () => getThread(this.storage, threadId));
  }

  /**
   * Threads, the newest activity first, page by page.
   *
   * @throws {InvalidOptionError} for unknown or impossible options, and for a cursor of another query.
   *
   * @example
   * ```ts
   * const { threads, nextCursor } = await store.listThreads({ metadata: { user: "u1" }, limit: 20 });
   * ```
   */
  listThreads(options: ListThreadsOptions = {}): Promise<ThreadPage> {
    return this.run("listThreads", undefined, () => listThreads(this.storage, options));
  }

  /** Removes a thread with all its checkpoints, records and pending writes; fine where there is none. */
  async deleteThread(threadId: string): Promise<void> {
    await this.deleteThreads([threadId]);
  }

  /**
   * Removes threads, one after the other, and says how much it was; those that are not there are passed
   * over. A run that still writes to one of them gets a {@link ThreadConflictError}.
   *
   * @example
   * ```ts
   * const { threads, bytes } = await store.deleteThreads(["42", "43"]);
   * ```
   */
  deleteThreads(threads: readonly string[], options: DeleteOptions = {}): Promise<DeleteReport> {
    return this.run("deleteThreads", undefined, async () => {
      const { adoption } = this.storage;
      if (adoption) for (const id of threadIds(threads, "threads")) await adoption.bury(id);
      return deleteThreads(this.storage, threads, options);
    });
  }

  /**
   * Removes the checkpoints that certain runs wrote, in all threads. What other checkpoints need of them
   * stays, unseen, until those are gone. A run is what LangGraph is told by `run_id`.
   *
   * @example
   * ```ts
   * await store.deleteForRuns(["7e6d5c4b-0000-4000-8000-000000000000"]);
   * ```
   */
  deleteForRuns(runIds: readonly string[], options: DeleteOptions = {}): Promise<DeleteReport> {
    return this.run("deleteForRuns", undefined, () => deleteForRuns(this.storage, runIds, options));
  }

  /**
   * Takes the right to write to a thread. Its `config` goes into `graph.invoke`; a writer that has
   * lost it gets {@link ThreadConflictError} and changes nothing.
   *
   * @throws {ThreadConflictError} if another holds it for as long as `wait`.
   *
   * @example
   * ```ts
   * await using lease = await store.acquireThread("42", { ttl: "30s", wait: "5s" });
   * await graph.invoke(null, lease.config);
   * ```
   */
  acquireThread(threadId: string, options: LeaseOptions = {}): Promise<Lease> {
    return this.run("acquireThread", threadId, () =>
      acquireThread(this.storage, threadId, options),
    );
  }

  /**
   * Rows and bytes of every table, what is shared, what expired, and what an operator might do. Takes
   * about as long in a large store as in a small one.
   *
   * @example
   * ```ts
   * const { bytes, suggestions } = await store.stats();
   * for (const { message, sql } of suggestions) console.log(message, sql);
   * ```
   */
  stats(): Promise<StoreStats> {
    return this.run("stats", undefined, () => stats(this.storage));
  }

  /**
   * What this store has done since it was opened.
   *
   * @example
   * ```ts
   * const { operations, retries, cache } = store.getMetrics();
   * console.log(operations.put?.p95, retries, cache.hits);
   * ```
   */
  getMetrics(): StoreMetrics {
    return storeMetrics(this.storage, this.operations);
  }

  /** The pool's connections: total, idle, acquired, waiting, max. */
  poolStats(): PoolStats {
    return poolStats(this.storage.database);
  }

  /** Counts, times and tells of an operation; a thread that is to be adopted is, first. */
  protected run<T>(operation: string, threadId: unknown, work: () => Promise<T>): Promise<T> {
    const { adoption } = this.storage;
    const adopted = async (): Promise<T> => {
      await adoption?.touch(threadId);
      return work();
    };
    return this.operations.run(
      operation,
      typeof threadId === "string" ? threadId : undefined,
      adoption ? adopted : work,
    );
  }
}
