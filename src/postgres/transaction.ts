import { DatabaseError, LangGraphPostgresError } from "../errors.ts";
import type { Checkout } from "./connections.ts";
import { type Deadline, deadlineIn } from "./deadline.ts";
import type { DbClient } from "./driver.ts";
import { breaksConnection, isTransient, sqlStateOf } from "./failures.ts";
import type { Answer, Param, Row } from "./query.ts";
import { type Statement, statement } from "./statement.ts";
import { translate } from "./translate.ts";

/** Statements of one transaction. They run one after the other, however they are called. */
export interface Transaction {
  /** The connection, for what is not a {@link Statement}. */
  readonly client: DbClient;
  execute(statement: Statement, params: readonly Param[]): Promise<Row[]>;
}

/** Runs one statement on the transaction's connection. */
export type Run = (
  statement: Statement,
  params: readonly Param[],
  deadline: Deadline,
) => Promise<Answer>;

// A session's default may be another level, and code that was written for this one would not know.
const BEGIN = statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED");
const COMMIT = statement("commit", "COMMIT");
const ROLLBACK = statement("rollback", "ROLLBACK");

/** What a ROLLBACK may take at least, in milliseconds, however little of the deadline is left. */
const ROLLBACK_PATIENCE = 1000;

/** BEGIN, `work`, COMMIT; ROLLBACK where anything of it fails. Releases the connection. */
export async function inTransaction<T>(
  checkedOut: Checkout,
  deadline: Deadline,
  run: Run,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  let ended = false;
  let failure: unknown;
  let last: Promise<unknown> = Promise.resolve();
  const step = async (text: Statement, params: readonly Param[] = []): Promise<Answer> => {
    try {
      return await run(text, params, deadline);
    } catch (error) {
      failure ??= error;
      throw error;
    }
  };
  const tx: Transaction = {
    client: checkedOut.client,
    execute(text, params) {
      const next = last.then(async () => {
        // The connection may be another caller's by now.
        if (ended) throw afterEnd();
        try {
          return (await step(text, params)).rows;
        } catch (error) {
          throw translate(error, `Statement ${text.name}`);
        }
      });
      last = next.catch(() => {});
      return next;
    },
  };
  try {
    await step(BEGIN);
    const result = await work(tx);
    ended = true;
    await last;
    const { command } = await step(COMMIT);
    // The server answers so to COMMIT when a statement has failed and `work` went on regardless.
    if (command === "ROLLBACK") throw rolledBack(failure);
    checkedOut.release();
    return result;
  } catch (error) {
    ended = true;
    await last;
    await rollBack(checkedOut, run, failure);
    throw error === failure || isOfDatabase(error, checkedOut) ? error : new CallersError(error);
  }
}

/** An error that `work` raised for reasons of its own: neither a reason to repeat it nor to be translated. */
export class CallersError extends Error {
  constructor(cause: unknown) {
    super("the transaction's function failed", { cause });
  }
}

function isOfDatabase(error: unknown, checkedOut: Checkout): boolean {
  if (error instanceof LangGraphPostgresError || sqlStateOf(error) !== undefined) return true;
  // From `tx.client`: what it raises passes nobody who could tell it from the caller's own errors.
  return checkedOut.isLost() && isTransient(error);
}

/** Ends the transaction; fails never, so that the first error is the one that the caller hears of. */
async function rollBack(checkedOut: Checkout, run: Run, failure: unknown): Promise<void> {
  // The server rolls back by itself when the connection ends.
  if (checkedOut.isLost() || (failure !== undefined && breaksConnection(failure))) {
    checkedOut.release(failure);
    return;
  }
  try {
    await run(ROLLBACK, [], deadlineIn(ROLLBACK_PATIENCE));
    checkedOut.release();
  } catch (error) {
    checkedOut.release(error);
  }
}

function rolledBack(cause: unknown): DatabaseError {
  return new DatabaseError(
    "DATABASE_ERROR",
    "The transaction was rolled back, because a statement in it had failed. " +
      "Let that statement's error out of the transaction's function.",
    { cause, sqlState: "25P02" },
  );
}

function afterEnd(): DatabaseError {
  return new DatabaseError(
    "DATABASE_ERROR",
    "The transaction has ended. Await all of its statements before its function returns.",
  );
}
