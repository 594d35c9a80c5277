/**
 * The statements that write. Each does everything for one batch of operations at once: one round
 * trip, one commit, visible whole or not at all.
 *
 * All rows that are inserted read from `t`, the CTE that holds the threads' row locks: in one statement
 * CTEs run in no promised order, and reading from `t` is what makes them wait for it. A thread that is not
 * in `t` (its generation moved, its lease was lost, it expired) gets nothing.
 *
 * Rows are inserted in key order and threads locked in id order, so that two processes with
 * overlapping batches wait for each other instead of deadlocking. Values of one thread need no order:
 * they are only written under its lock. `DO UPDATE SET` uses `excluded`
 * and parameters only: distributed engines refuse `now()` there.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { COLUMNS, width } from "./columns.ts";
import { putRecords, RECORDS_ANSWER } from "./record-statements.ts";
import { type WriteCtes, writeCtes } from "./write-ctes.ts";
import { MANY, ONE } from "./write-forms.ts";

export interface WriteStatements {
  /** put on threads whose generation the writer knows and the statement proves. */
  readonly putKnown: Statement;
  /** put on threads the writer knows nothing of: creates the thread's row where there is none. */
  readonly putUnknown: Statement;
  /** put of records: their version is their place in the thread unless they bring one. */
  readonly recordKnown: Statement;
  readonly recordUnknown: Statement;
  /** The same, refused (23505) where the record exists. */
  readonly newRecordKnown: Statement;
  readonly newRecordUnknown: Statement;
  readonly writesKnown: Statement;
  /** puts, and pending writes of the same threads. */
  readonly stepKnown: Statement;
  readonly writesUnknown: Statement;
  /** The same for one thread and at most one checkpoint, as most batches are: a quarter less to do for both sides. */
  readonly putOne: Statement;
  readonly stepOne: Statement;
  readonly writesOne: Statement;
}

const answer = `SELECT t.n::text, t.generation::text, (extract(epoch FROM t.created_at) * 1000000)::int8::text
FROM t`;

export function writeStatements(names: TableNames): WriteStatements {
  const many = writeCtes(names, MANY);
  const one = writeCtes(names, ONE);
  const { lock, lockOrCreate, share, chunks, values, writes } = many;
  const text = (...ctes: string[]): string => `WITH ${ctes.join(", ")}\n${answer}`;
  const records = (lockRow: string, ifExists: "replace" | "error"): string =>
    `WITH ${[lockRow, chunks, values(many.first.row + width(COLUMNS.records)), ...putRecords(names, many.first.row, ifExists)].join(", ")}
${RECORDS_ANSWER}`;
  const put = ({ first, ...parts }: WriteCtes, locked: string): string =>
    text(locked, parts.chunks, parts.values(first.value), parts.checkpoints);
  const step = ({ first, ...parts }: WriteCtes): string =>
    text(
      parts.lock,
      parts.chunks,
      parts.values(first.value),
      parts.checkpoints,
      parts.writes(first.writeOfStep),
    );
  return {
    putKnown: statement("put", put(many, lock)),
    putUnknown: statement("put_new", put(many, lockOrCreate)),
    recordKnown: statement("record", records(lock, "replace")),
    recordUnknown: statement("record_new", records(lockOrCreate, "replace")),
    newRecordKnown: statement("once", records(lock, "error")),
    newRecordUnknown: statement("once_new", records(lockOrCreate, "error")),
    writesKnown: statement("writes", text(share, chunks, writes(many.first.row))),
    stepKnown: statement("step", step(many)),
    writesUnknown: statement("writes_new", text(lockOrCreate, chunks, writes(many.first.row))),
    putOne: statement("put_one", put(one, one.lock)),
    stepOne: statement("step_one", step(one)),
    writesOne: statement("writes_one", text(one.share, one.chunks, one.writes(one.first.row))),
  };
}
