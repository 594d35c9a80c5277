import { LangGraphPostgresError } from "../errors.ts";
import { type Checkout, connectionsOf } from "./connections.ts";
import { type Deadline, deadlineIn } from "./deadline.ts";
import type { DbPool } from "./driver.ts";
import { namingFailure } from "./failures.ts";
import { listenForErrors } from "./pool-errors.ts";
import { type Answer, type Param, query, type Row } from "./query.ts";
import { retrying } from "./retry.ts";
import type { Statement } from "./statement.ts";
import { CallersError, inTransaction, type Transaction } from "./transaction.ts";
import { translate } from "./translate.ts";

export type { Param, Row } from "./query.ts";
export type { Transaction } from "./transaction.ts";

/** How long an operation may take in all, retries included, where nothing else is said. */
const DEFAULT_DEADLINE = 15_000;

/** Something that runs statements: a {@link Database} or a {@link Transaction}. */
export interface Executor {
  /**
   * Runs a statement and returns its rows, every column as text. Columns that are neither `text`
   * nor `bytea` holding UTF-8 must be cast to text in the statement.
   */
  execute(statement: Statement, params: readonly Param[]): Promise<Row[]>;
}

/** What a {@link Database} has done so far. */
export interface Counters {
  /** Statements sent, those of transactions, BEGIN and COMMIT included. */
  readonly statements: number;
  /** Transactions begun. */
  readonly transactions: number;
  /** Attempts beyond the first. */
  readonly retries: number;
  /** Operations that failed for good. */
  readonly errors: number;
  /** Times that a statement had to be repeated without its name. */
  readonly nameless: number;
}

/** How one operation runs. */
export interface OperationOptions {
  /** Milliseconds it may take in all. Default: the database's. `Infinity` for no limit. */
  readonly deadline?: number;
  /** Whether it is repeated after a transient failure. Default true. */
  readonly retry?: boolean;
}

/** A pool with retries, deadlines and typed errors. */
export interface Database extends Executor {
  readonly pool: DbPool;
  /** Connections of the pool that nobody uses and that go back when the event loop turns. */
  kept(): number;
  /** What it has done so far; a live view. */
  readonly counters: Counters;
  /**
   * Runs one statement. It is repeated after a transient failure, and its first run may have taken
   * effect: it must be idempotent.
   */
  execute(
    statement: Statement,
    params: readonly Param[],
    options?: OperationOptions,
  ): Promise<Row[]>;
  /**
   * Runs `work` in a transaction (READ COMMITTED) on one connection. All of `work` is repeated after
   * a transient failure, a lost answer to COMMIT included, so it must be idempotent too; with
   * `retry: false` it runs at most once.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: OperationOptions): Promise<T>;
  /** Refuses new work, waits for what is in flight, and ends the pool if it is owned. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly pool: DbPool;
  /** Whether `close()` ends the pool. Default false. */
  readonly owned?: boolean;
  /** Milliseconds an operation may take in all. Default 15,000. */
  readonly deadline?: number;
  /**
   * Whether statements are prepared by name, which spares the server their planning. Default true;
   * it ends by itself where names turn out not to last (PgBouncer before 1.21, `DISCARD ALL`).
   */
  readonly namedStatements?: boolean;
}

/** Pools on which names turned out not to last. */
const nameless = new WeakSet<DbPool>();

/** Wraps a pool. Neither configures it nor, unless it is owned, ends it. */
export function createDatabase(options: DatabaseOptions): Database {
  const {
    pool,
    owned = false,
    namedStatements = true,
    deadline: limit = DEFAULT_DEADLINE,
  } = options;
  const counters = { statements: 0, transactions: 0, retries: 0, errors: 0, nameless: 0 };
  const connections = connectionsOf(pool);
  const stopListening = listenForErrors(pool);
  let inFlight = 0;
  let onIdle: (() => void) | undefined;
  let closing: Promise<void> | undefined;

  const runOn =
    (checkedOut: Checkout, named: boolean) =>
    (text: Statement, params: readonly Param[], deadline: Deadline): Promise<Answer> => {
      counters.statements += 1;
      return query(checkedOut, text, params, named, deadline);
    };

  /** Runs `work` with names, and once more without when its failure may be owed to them. */
  const withNames = async <T>(work: (named: boolean) => Promise<T>): Promise<T> => {
    if (!namedStatements || nameless.has(pool)) return work(false);
    try {
      return await work(true);
    } catch (error) {
      const failure = namingFailure(error);
      if (failure === undefined) throw error;
      if (failure === "unknown-name") nameless.add(pool);
      counters.nameless += 1;
      return work(false);
    }
  };

  /** One operation: counted, and its errors made ours. */
  const operation = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined)
      throw new LangGraphPostgresError("CLOSED", `${doing} failed: it is closed.`);
    inFlight += 1;
    try {
      return await work();
    } catch (error) {
      if (error instanceof CallersError) throw error.cause;
      counters.errors += 1;
      throw translate(error, doing);
    } finally {
      inFlight -= 1;
      if (inFlight === 0) onIdle?.();
    }
  };

  const onRetry = (): void => {
    counters.retries += 1;
  };

  return {
    pool,
    kept: connections.kept,
    counters,
    execute(text, params, { retry = true, deadline: ms = limit } = {}) {
      const deadline = deadlineIn(ms);
      const once = async (named: boolean): Promise<Row[]> => {
        const checkedOut = await connections.take(deadline);
        try {
          const { rows } = await runOn(checkedOut, named)(text, params, deadline);
          checkedOut.keep();
          return rows;
        } catch (error) {
          checkedOut.release(error);
          throw error;
        }
      };
      return operation(`Statement ${text.name}`, () =>
        retry ? retrying(deadline, onRetry, () => withNames(once)) : once(false),
      );
    },
    transaction<T>(
      work: (tx: Transaction) => Promise<T>,
      { retry = true, deadline: ms = limit }: OperationOptions = {},
    ): Promise<T> {
      const deadline = deadlineIn(ms);
      const once = async (named: boolean): Promise<T> => {
        const checkedOut = await connections.take(deadline);
        counters.transactions += 1;
        return inTransaction(checkedOut, deadline, runOn(checkedOut, named), work);
      };
      return operation("The transaction", () =>
        // Without retry there is no second run that could go without names.
        retry ? retrying(deadline, onRetry, () => withNames(once)) : once(false),
      );
    },
    close() {
      closing ??= (async () => {
        if (inFlight > 0) {
          await new Promise<void>((resolve) => {
            onIdle = resolve;
          });
        }
        stopListening();
        if (owned) await pool.end?.();
      })();
      return closing;
    },
  };
}
