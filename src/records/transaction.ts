/** Records and the caller's own rows in one transaction. */
import { DatabaseError, InvalidConfigError, SchemaError } from "../errors.ts";
import { type Duration, describe, parseDuration, refuseUnknownKeys } from "../options.ts";
import { before, deadlineIn } from "../postgres/deadline.ts";
import type { DbClient } from "../postgres/driver.ts";
import { markIfConnectionEnded } from "../postgres/failures.ts";
import { translate } from "../postgres/translate.ts";
import type { Storage } from "../storage/storage.ts";
import type { Records, RecordsInTransaction } from "./records.ts";

/** What a transaction's function works with. Of no use after the function has ended. */
export interface StoreTransaction extends RecordsInTransaction {
  /**
   * Runs a statement of your own on the transaction's connection, as `pg` does: `$1` for the first of
   * `values`, rows as objects.
   *
   * @throws {DatabaseError} with the server's `sqlState` (23503, 23514, …) and the driver's error as
   *   its `cause`. The transaction is lost then: let the error out.
   */
  query<R = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{
    /** One object a row, by column. */
    rows: R[];
    /** Rows that were returned or changed; null where the command has no such count. */
    rowCount: number | null;
  }>;
}

/** How a transaction is run. */
export interface TransactionOptions {
  /**
   * Whether all of the function is run again after a transient failure, a lost answer to COMMIT
   * included. Default false: its own statements may not be safe to repeat.
   */
  readonly retry?: boolean;
  /** How long it may take in all. Default: the store's. */
  readonly deadline?: Duration;
}

export async function runTransaction<T>(
  storage: Pick<Storage, "database" | "settings">,
  records: Pick<Records, "within">,
  work: (tx: StoreTransaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  refuseUnknownKeys(options, ["retry", "deadline"], "transaction");
  if (typeof work !== "function") {
    throw new InvalidConfigError(`transaction takes a function, got ${describe(work)}.`);
  }
  const { retry = false } = options;
  const ms = parseDuration(options.deadline ?? storage.settings.deadline, "deadline");
  const deadline = deadlineIn(ms);
  const own = new WeakSet<object>();
  let learned: (() => void)[] = [];

  const query = async (client: DbClient, text: string, values: readonly unknown[]) => {
    try {
      const answer = client.query({ text, values: [...values] });
      return await before(deadline, answer, () => {
        return new DatabaseError(
          "DEADLINE_EXCEEDED",
          `The query was not answered before the transaction's deadline of ${ms / 1000} s.`,
        );
      });
    } catch (error) {
      markIfConnectionEnded(error);
      const translated = translate(error, "The query");
      own.add(translated);
      throw translated;
    }
  };

  const once = async (tx: Parameters<Parameters<typeof storage.database.transaction>[0]>[0]) => {
    learned = [];
    let ended = false;
    const guarded = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        // The connection may be another caller's by now.
        if (ended) {
          throw new InvalidConfigError(
            "The transaction has ended: await everything before its function returns.",
          );
        }
        return call(...args);
      };
    };
    const inside = records.within(tx, (learn) => learned.push(learn));
    try {
      return await work({
        save: guarded(inside.save) as RecordsInTransaction["save"],
        saveBatch: guarded(inside.saveBatch) as RecordsInTransaction["saveBatch"],
        load: guarded(inside.load) as RecordsInTransaction["load"],
        getLatestByThread: guarded(
          inside.getLatestByThread,
        ) as RecordsInTransaction["getLatestByThread"],
        query: guarded((text: string, values: readonly unknown[] = []) =>
          query(tx.client, text, values),
        ) as StoreTransaction["query"],
      });
    } finally {
      ended = true;
    }
  };

  try {
    const result = await storage.database.transaction(once, { retry, deadline: ms });
    for (const learn of learned) learn();
    return result;
  } catch (error) {
    // A table that the caller's own query misses is none of ours.
    if (error instanceof SchemaError && own.has(error.cause as object)) throw error.cause;
    throw error;
  }
}
