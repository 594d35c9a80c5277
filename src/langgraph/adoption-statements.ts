/** What is kept of adopted threads, and what is compared with it. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { encryptedThread } from "../storage/encrypted-thread.ts";
import { isRecord } from "../storage/names.ts";

/** A thread's mark is its row in `T_adoptions`. */
export interface AdoptionStatements {
  /** `$1` thread: a row if the mark was not there and is now. Waits for whoever makes it at this moment. */
  readonly claim: Statement;
  /** `$1` thread: its mark, locked. */
  readonly mark: Statement;
  /** `$1` thread, `$2` checkpoints, `$3` writes, `$4` newest: what it is there now. */
  readonly note: Statement;
  /** `$1` thread: removes its mark. */
  readonly forget: Statement;
  /** `$1` thread, `$2` generation: a row if the thread was not here and is now. */
  readonly begin: Statement;
  /** `$1` thread. */
  readonly lock: Statement;
  /** `$1` thread: the keys of its checkpoints, records left out, and how many pending writes it has. */
  readonly here: Statement;
  /** `$1` thread: a row where something of it is encrypted. */
  readonly encrypted: Statement;
  /** `$1` thread, `$2` milliseconds since the epoch, `$3` checkpoints: when it was last put into, unless it went on. */
  readonly touched: Statement;
}

const made = new WeakMap<TableNames, AdoptionStatements>();

export function adoptionStatements(names: TableNames): AdoptionStatements {
  const known = made.get(names);
  if (known !== undefined) return known;
  const fresh = make(names);
  made.set(names, fresh);
  return fresh;
}

function make(names: TableNames): AdoptionStatements {
  const own = `FROM ${names.checkpoints} c WHERE c.thread_id = $1 AND NOT ${isRecord("c.checkpoint_ns")}`;
  return {
    claim: statement(
      "adopt_claim",
      `INSERT INTO ${names.adoptions} (thread_id, checkpoints, writes, newest) VALUES ($1, 0, 0, '')
ON CONFLICT (thread_id) DO NOTHING RETURNING 'claimed'`,
    ),
    mark: statement(
      "adopt_mark",
      `SELECT checkpoints::text, writes::text, newest FROM ${names.adoptions} WHERE thread_id = $1 FOR UPDATE`,
    ),
    note: statement(
      "adopt_note",
      `UPDATE ${names.adoptions} SET checkpoints = $2::int8, writes = $3::int8, newest = $4, adopted_at = now()
WHERE thread_id = $1`,
    ),
    forget: statement("adopt_forget", `DELETE FROM ${names.adoptions} WHERE thread_id = $1`),
    begin: statement(
      "adopt_begin",
      `INSERT INTO ${names.threads} (thread_id, generation) VALUES ($1, $2::uuid)
ON CONFLICT (thread_id) DO NOTHING RETURNING 'begun'`,
    ),
    lock: statement(
      "adopt_lock",
      `SELECT 'locked' FROM ${names.threads} WHERE thread_id = $1 FOR NO KEY UPDATE`,
    ),
    here: statement(
      "adopt_here",
      `SELECT 'key', c.checkpoint_ns, c.checkpoint_id ${own}
UNION ALL SELECT 'writes', count(*)::text, NULL FROM ${names.writes} WHERE thread_id = $1`,
    ),
    encrypted: encryptedThread(names),
    touched: statement(
      "adopt_touched",
      `UPDATE ${names.threads} SET updated_at = LEAST(updated_at, to_timestamp($2::float8 / 1000))
WHERE thread_id = $1 AND (SELECT count(*) ${own}) = $3::int8`,
    ),
  };
}
