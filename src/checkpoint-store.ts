import { adopting } from "./langgraph/adopting.ts";
import { CoalescingSaver } from "./langgraph/coalescing-saver.ts";
import { PostgresSaver } from "./langgraph/saver.ts";
import { observedStorage } from "./metrics/observed-storage.ts";
import { openTelemetry } from "./metrics/open-telemetry.ts";
import { createOperations } from "./metrics/operations.ts";
import { storeMetrics } from "./metrics/store-metrics.ts";
import { SILENT } from "./metrics/telemetry.ts";
import type { DbPool } from "./postgres/driver.ts";
import { embedded } from "./postgres/embedded.ts";
import { createPool } from "./postgres/pool.ts";
import { statement } from "./postgres/statement.ts";
import type { ListRecordsOptions, RecordPage } from "./records/list-options.ts";
import type { CheckpointRecord, NewRecord, SaveOptions } from "./records/record.ts";
import { createRecords, type InNamespace, type InThread, type Records } from "./records/records.ts";
import { neededText } from "./records/row.ts";
import {
  runTransaction,
  type StoreTransaction,
  type TransactionOptions,
} from "./records/transaction.ts";
import { clearExecution, deleteCheckpoint } from "./retention/delete-checkpoints.ts";
import { startSweeper } from "./retention/sweeper.ts";
import { createTrimmer } from "./retention/trimmer.ts";
import { checkThreadId } from "./storage/names.ts";
import { openStorage } from "./storage/storage.ts";
import {
  type CheckpointerOptions,
  type ConnectOptions,
  checkConnectOptions,
  checkStoreOptions,
  intervalOf,
  type StoreOptions,
  settingsOf,
} from "./store-options.ts";
import { StoreTransfer } from "./store-transfer.ts";

/**
 * Checkpoints in PostgreSQL for any program, with or without LangGraph: plain records with TTL,
 * batches, paging, transactions and metrics. What graphs write through its {@link checkpointer} shows
 * as records too.
 *
 * @example
 * ```ts
 * import { PostgresCheckpointStore } from "langgraph-postgres";
 *
 * await using store = await PostgresCheckpointStore.connect({ embedded: "memory" });
 * await store.save({ id: "1", threadId: "42", state: { step: "planned", todo: ["a", "b"] } });
 * const latest = await store.getLatestByThread("42");
 * ```
 */
export class PostgresCheckpointStore extends StoreTransfer implements AsyncDisposable {
  /**
   * The store as a LangGraph checkpointer: `builder.compile({ checkpointer: store.checkpointer })`.
   * It ends with the store.
   */
  readonly checkpointer: PostgresSaver;
  readonly #records: Records;
  readonly #coalescing: CoalescingSaver[] = [];
  readonly #end: () => Promise<void>;
  /** Resolves when it is known whether OpenTelemetry is there. */
  readonly #ready: Promise<void>;

  private constructor(pool: DbPool, owned: boolean, options: StoreOptions) {
    const { serde, onOperation, telemetry: wanted = true, maxCheckpoints } = options;
    const storage = adopting(openStorage({ pool, owned, serde, settings: settingsOf(options) }));
    const { names } = storage;
    const telemetry = wanted
      ? openTelemetry({
          table: names.checkpoints,
          metrics: () => storeMetrics(storage, operations),
        })
      : { ...SILENT, ready: Promise.resolve() };
    const operations = createOperations(telemetry, onOperation);
    super(storage, operations);
    const trimmer =
      maxCheckpoints === undefined ? undefined : createTrimmer(storage, { maxCheckpoints });
    const { sweeper = options.ttl !== undefined } = options;
    const sweeping =
      sweeper === false ? undefined : startSweeper(storage, sweeper === true ? {} : sweeper);
    let ending: Promise<void> | undefined;
    this.#end = () => {
      ending ??= (async () => {
        const flushing = this.#coalescing.map((one) => one.flush());
        // Where nothing has to be stored any more, whatever comes from this moment on is refused.
        const flushed = flushing.length === 0 ? [] : await Promise.allSettled(flushing);
        await Promise.all([operations.drain(), sweeping?.close(), trimmer?.close()]);
        telemetry.end();
        await storage.close();
        for (const outcome of flushed) if (outcome.status === "rejected") throw outcome.reason;
      })();
      return ending;
    };
    this.#ready = telemetry.ready;
    this.#records = createRecords(storage, trimmer?.putInto);
    const observed = observedStorage(storage, operations, trimmer?.putInto);
    this.checkpointer = new PostgresSaver({ ...observed, close: this.#end }, serde);
  }

  /**
   * Opens a store with a pool of its own, and checks that the server answers. Tables are created or
   * updated at once with `autoMigrate: true`, which is the default for `embedded`.
   *
   * @throws {InvalidOptionError} for unknown or impossible options; nothing was opened.
   * @throws {DatabaseError} where the server cannot be reached or refuses the login.
   * @throws {SchemaError} where the tables cannot be created or updated.
   * @throws {LangGraphPostgresError} `DEPENDENCY_MISSING` for `embedded` without `@electric-sql/pglite`.
   *
   * @example
   * ```ts
   * await using store = await PostgresCheckpointStore.connect({
   *   connString: process.env.DATABASE_URL,
   *   autoMigrate: true,
   *   ttl: { threads: "30d" },
   * });
   * const graph = builder.compile({ checkpointer: store.checkpointer });
   * ```
   */
  static async connect(options: ConnectOptions = {}): Promise<PostgresCheckpointStore> {
    checkConnectOptions(options);
    const { connString, embedded: directory, pool: poolOptions, ...rest } = options;
    const pool =
      directory === undefined
        ? createPool({ ...poolOptions, ...(connString === undefined ? {} : { connString }) })
        : await embedded(directory);
    const autoMigrate = rest.autoMigrate ?? directory !== undefined;
    let store: PostgresCheckpointStore;
    try {
      store = new PostgresCheckpointStore(pool, true, { ...rest, autoMigrate });
    } catch (error) {
      await pool.end();
      throw error;
    }
    try {
      await store.#ready;
      await store.storage.bare.execute(PING, []);
      if (autoMigrate) await store.initSchema();
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /**
   * A store on a pool that stays yours: it is neither configured nor ended. Nothing is asked of the
   * database yet; with `autoMigrate: true` the tables are created before the first use.
   *
   * @param pool A `pg.Pool` or anything that works like one.
   * @throws {InvalidOptionError} for unknown or impossible options.
   *
   * @example
   * ```ts
   * const pool = createPool({ connString: "postgres://localhost/postgres" });
   * const store = PostgresCheckpointStore.fromPool(pool, { schema: "support", autoMigrate: true });
   * await store.close();
   * await pool.end();
   * ```
   */
  static fromPool(pool: DbPool, options: StoreOptions = {}): PostgresCheckpointStore {
    checkStoreOptions(options);
    return new PostgresCheckpointStore(pool, false, options);
  }

  /**
   * Saves a record; the answer says which version and time it was given. A record that exists is
   * replaced, and counts as the newest again.
   *
   * @throws {DuplicateCheckpointError} (`sqlState` 23505) where the version is taken, or the id with
   *   `{ ifExists: "error" }`.
   * @throws {SerializationError} naming the key and the path; nothing was written.
   * @throws {InvalidConfigError} for a record without an id or a thread, or with a time that is none.
   *
   * @example
   * ```ts
   * const { version } = await store.save({
   *   id: "step-1",
   *   threadId: "42",
   *   state: { todo: ["a", "b"], started: new Date() },
   *   metadata: { user: "u1" },
   *   expiresAt: "2030-01-01T00:00:00Z",
   * });
   * ```
   */
  save<State>(
    record: NewRecord<State>,
    options: SaveOptions = {},
  ): Promise<CheckpointRecord<State>> {
    return this.run("save", record?.threadId, () => this.#records.save(record, options));
  }

  /**
   * Saves all of the records, in their order, or none of them. One transaction.
   *
   * @throws what {@link save} throws; nothing was written.
   *
   * @example
   * ```ts
   * await store.saveBatch([
   *   { id: "1", threadId: "42", state: "planned" },
   *   { id: "2", threadId: "42", state: "done" },
   * ]);
   * ```
   */
  saveBatch<R extends NewRecord>(
    records: readonly R[],
    options: SaveOptions = {},
  ): Promise<CheckpointRecord<R["state"]>[]> {
    return this.run("saveBatch", undefined, () => this.#records.saveBatch(records, options));
  }

  /**
   * The checkpoint with that id, whoever wrote it.
   *
   * @throws {CheckpointNotFoundError} where there is none.
   * @throws {CorruptCheckpointError} where stored bytes are missing or are not what they were.
   * @throws {ThreadConflictError} where the thread was pruned five times while it was read: try again.
   *
   * @example
   * ```ts
   * const { state } = await store.load<{ todo: string[] }>("step-1", { threadId: "42" });
   * ```
   */
  load<State = unknown>(id: string, options: InThread = {}): Promise<CheckpointRecord<State>> {
    return this.run("load", options.threadId, () => this.#records.load<State>(id, options));
  }

  /** Deletes the checkpoint with that id, in one thread or in all that hold it; returns how many there were. */
  delete(id: string, options: InThread = {}): Promise<number> {
    return this.run("delete", options.threadId, async () =>
      deleteCheckpoint(this.storage, neededText(id, "id"), options.threadId),
    );
  }

  /**
   * All checkpoints of an execution, by version; an empty list where there is none. For more than a few
   * hundred use {@link listWithOptions}.
   */
  list<State = unknown>(executionId: string): Promise<CheckpointRecord<State>[]> {
    return this.run("list", undefined, () => this.#records.list<State>(executionId));
  }

  /** Deletes all checkpoints of an execution; returns how many there were. */
  clear(executionId: string): Promise<number> {
    return this.run("clear", undefined, async () =>
      clearExecution(this.storage, neededText(executionId, "executionId")),
    );
  }

  /**
   * All checkpoints of a thread, or of one of its namespaces, by version; an empty list where there is
   * none. For more than a few hundred use {@link listWithOptions}.
   */
  listByThread<State = unknown>(
    threadId: string,
    options: InNamespace = {},
  ): Promise<CheckpointRecord<State>[]> {
    return this.run("listByThread", threadId, () =>
      this.#records.listByThread<State>(threadId, options),
    );
  }

  /**
   * The last checkpoint, by version, of the thread's root namespace (or of `namespace`); of what a
   * graph wrote, the one that it would go on from. Undefined where there is none.
   */
  getLatestByThread<State = unknown>(
    threadId: string,
    options: InNamespace = {},
  ): Promise<CheckpointRecord<State> | undefined> {
    return this.run("getLatestByThread", threadId, () =>
      this.#records.getLatestByThread<State>(threadId, options),
    );
  }

  /**
   * A page of checkpoints: 100 of them unless `limit` says otherwise, the newest first.
   *
   * @throws {InvalidOptionError} for unknown or impossible options, and for a cursor of another query.
   *
   * @example
   * ```ts
   * const options = { threadId: "42", limit: 10 };
   * const { checkpoints, total, nextCursor } = await store.listWithOptions(options);
   * const next = nextCursor && (await store.listWithOptions({ ...options, cursor: nextCursor }));
   * ```
   */
  listWithOptions<State = unknown>(options: ListRecordsOptions = {}): Promise<RecordPage<State>> {
    return this.run("listWithOptions", options?.threadId, () =>
      this.#records.listWithOptions<State>(options),
    );
  }

  /**
   * Runs the function in one transaction: records and rows of your own, all or nothing. It is rolled
   * back where the function throws. Inside it, use `tx` and not the store.
   *
   * @throws whatever the function throws, as it is.
   * @throws {DatabaseError} where the transaction failed, or took longer than its deadline.
   *
   * @example
   * ```ts
   * await store.transaction(async (tx) => {
   *   await tx.save({ id: "paid", threadId: "42", state: { paid: true } });
   *   await tx.query("INSERT INTO my_orders (id) VALUES ($1)", ["42"]);
   * });
   * ```
   */
  transaction<T>(
    work: (tx: StoreTransaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return this.run("transaction", undefined, () =>
      runTransaction(this.storage, this.#records, work, options),
    );
  }

  /**
   * Another checkpointer on the same tables, which stores a thread at most once in every
   * `checkpointInterval`, and at once where a run ends, fails or asks a human: for runs of many short
   * steps. What may be lost, and when, is said at {@link CoalescingSaver}.
   *
   * @throws {InvalidOptionError} for unknown or impossible options.
   *
   * @example
   * ```ts
   * const checkpointer = store.checkpointerWith({ checkpointInterval: "5s" });
   * const graph = builder.compile({ checkpointer });
   * ```
   */
  checkpointerWith(options: CheckpointerOptions): CoalescingSaver {
    const saver = new CoalescingSaver(this.checkpointer, intervalOf(options));
    this.#coalescing.push(saver);
    return saver;
  }

  /**
   * The config with which a graph goes on from the thread's last checkpoint, or from a given one. Asks
   * nothing of the database.
   *
   * @throws {InvalidConfigError} for ids that cannot be one.
   *
   * @example
   * ```ts
   * await graph.invoke(null, store.resumeConfig("42"));
   * ```
   */
  resumeConfig(threadId: string, checkpointId?: string): ResumeConfig {
    const configurable = { thread_id: checkThreadId(threadId), checkpoint_ns: "" };
    if (checkpointId === undefined) return { configurable };
    return {
      configurable: { ...configurable, checkpoint_id: neededText(checkpointId, "checkpointId") },
    };
  }

  /**
   * Stores what waits in checkpointers with an interval, refuses what comes from now on, waits for what
   * is under way, and ends the pool if the store opened it.
   */
  close(): Promise<void> {
    return this.#end();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** For `graph.invoke(null, config)`. */
export interface ResumeConfig {
  /** What LangGraph finds a checkpoint by. */
  readonly configurable: {
    /** The thread. */
    readonly thread_id: string;
    /** `""`, the root graph's. */
    readonly checkpoint_ns: string;
    /** The checkpoint to go on from; the latest where it is missing. */
    readonly checkpoint_id?: string;
  };
}

const PING = statement("ping", "SELECT 'here'");
