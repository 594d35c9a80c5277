/** Copying a thread inside the database. */
import { randomUUID } from "node:crypto";
import { notConfigured } from "../encryption/cipher.ts";
import { InvalidConfigError, ThreadExistsError } from "../errors.ts";
import type { Executor, Param } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { countOf, type Freed, freedOf } from "../retention/freed.ts";
import { perStore } from "../retention/per-store.ts";
import { LONG_DEADLINE } from "../retention/round.ts";
import { rowBytes } from "../retention/row-bytes.ts";
import { encryptedThread } from "../storage/encrypted-thread.ts";
import { checkThreadId } from "../storage/names.ts";
import type { Route } from "../storage/reseal.ts";
import type { Storage } from "../storage/storage.ts";
import { addRows, pagesOf, reseal } from "./rewrite.ts";

/** What was copied: rows, and their bytes. */
export type CopiedThread = Freed;

/**
 * Makes a second thread with everything that the first holds: the checkpoints of all namespaces in
 * their order, their metadata and times, values and pending writes. From then on the two have nothing
 * in common. The first is only read, as it is at one moment, and writers of it do not wait.
 *
 * A copy of a run's checkpoints belongs to the same run: `deleteForRuns` removes it in both threads.
 *
 * @returns What was copied; undefined, and no second thread, where there is no first.
 * In an encrypted store the rows come to this process, which seals them for the second thread.
 *
 * @throws {ThreadExistsError} if there is a thread `to`; nothing was copied.
 * @throws {InvalidConfigError} for ids that cannot be a thread's, or twice the same.
 *
 * @example
 * ```ts
 * await copyThread(storage, "42", "42-what-if");
 * ```
 */
export async function copyThread(
  storage: Pick<Storage, "database" | "names" | "settings" | "removeExpired" | "cipher">,
  from: string,
  to: string,
): Promise<CopiedThread | undefined> {
  const source = checkThreadId(from);
  const target = checkThreadId(to);
  if (source === target) {
    throw new InvalidConfigError(
      "A thread cannot be copied onto itself: from and to are the same.",
    );
  }
  // An expired thread is as good as gone.
  await storage.removeExpired(target);
  const { copy, exists, encrypted } = copyStatements(storage.names);
  const { database, names, cipher } = storage;
  // What the repetition of a copy whose answer was lost finds is the copy itself, by this.
  const generation = randomUUID();
  const parameters = [source, target, generation, storage.settings.ttl.threads];
  if (cipher) {
    const route = { cipher, from: source, to: target };
    if (await copySealed(database, names, route, parameters)) return copied(storage, target);
  } else {
    if ((await database.execute(encrypted, [source])).length > 0) throw notConfigured(source);
    const rows = await database.execute(copy, parameters, { deadline: LONG_DEADLINE });
    if (countOf(rows, "threads") === 1) return freedOf(rows);
  }
  const [found] = await database.execute(exists, [target]);
  if (found === undefined) return undefined;
  if (found[0] === generation) return copied(storage, target);
  throw new ThreadExistsError(
    `Thread ${JSON.stringify(target)} exists already; nothing was copied. Delete it first, or choose another id.`,
  );
}

/** Row by row through this process; whether there was something to copy, and nothing in its way. */
async function copySealed(
  database: Storage["database"],
  names: TableNames,
  route: Route,
  parameters: readonly Param[],
): Promise<boolean> {
  const { snapshot, begin } = copyStatements(names);
  const work = async (tx: Executor): Promise<boolean> => {
    await tx.execute(snapshot, []);
    if ((await tx.execute(begin, parameters)).length === 0) return false;
    for (const part of TABLES) {
      for await (const page of pagesOf(tx, names, part, route.from)) {
        const rows = await Promise.all(page.map((cells) => reseal(part, route, cells)));
        await addRows(tx, names, part, route, rows);
      }
    }
    return true;
  };
  return database.transaction(work, { deadline: LONG_DEADLINE });
}

async function copied(
  { database, names }: Pick<Storage, "database" | "names">,
  threadId: string,
): Promise<CopiedThread> {
  return freedOf(await database.execute(copyStatements(names).count, [threadId]));
}

interface CopyStatements {
  /** `$1` from, `$2` to, `$3` its generation, `$4` milliseconds it lives or NULL. */
  readonly copy: Statement;
  /** The same parameters: the second thread without anything in it, unless there is one. */
  readonly begin: Statement;
  /** Makes a transaction see one moment. */
  readonly snapshot: Statement;
  /** `$1` thread: a row where something of it is encrypted. */
  readonly encrypted: Statement;
  /** `$1` thread: its generation. */
  readonly exists: Statement;
  /** `$1` thread: what it holds. */
  readonly count: Statement;
}

const COLUMNS = {
  checkpoints: `checkpoint_ns, checkpoint_id, parent_checkpoint_id, seq, execution_id, node_name,
    version, channel_versions, checkpoint_data, metadata, created_at, expires_at`,
  values: "checkpoint_ns, channel, version, type, payload, chunks",
  chunks: "chunk_id, payload, children",
  writes: `checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, payload, chunks`,
} as const;

const TABLES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

const copyStatements: (names: TableNames) => CopyStatements = perStore((names) => {
  const answer = TABLES.map(
    (table) =>
      `SELECT '${table}', count(*)::text, COALESCE(sum(bytes), 0)::text FROM copied_${table}`,
  ).join("\nUNION ALL ");
  const part = (table: keyof typeof COLUMNS): string => `copied_${table} AS (
  INSERT INTO ${names[table]} AS x (thread_id, ${COLUMNS[table]})
  SELECT $2, ${COLUMNS[table]} FROM ${names[table]} WHERE thread_id = $1 AND EXISTS (SELECT FROM t)
  RETURNING ${rowBytes(table, "x")} AS bytes
)`;
  const begin = `INSERT INTO ${names.threads} (thread_id, generation, last_seq, created_at, updated_at, expires_at)
  SELECT $2, $3::uuid, s.last_seq, now(), now(), COALESCE(now() + $4::int8 * interval '1 ms', s.expires_at)
  FROM ${names.threads} s WHERE s.thread_id = $1 AND (s.expires_at IS NULL OR s.expires_at > now())
  ON CONFLICT (thread_id) DO NOTHING
  RETURNING thread_id`;
  // One statement, so one snapshot: a put or a prune meanwhile is in the copy wholly or not at all.
  return {
    copy: statement(
      "copy_thread",
      `WITH t AS (
  ${begin}
), ${TABLES.map(part).join(", ")}
${answer}
UNION ALL SELECT 'threads', count(*)::text, '0' FROM t`,
    ),
    begin: statement("copy_thread_begin", begin),
    snapshot: statement("copy_snapshot", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
    encrypted: encryptedThread(names),
    exists: statement(
      "thread_exists",
      `SELECT t.generation::text FROM ${names.threads} t WHERE t.thread_id = $1`,
    ),
    count: statement(
      "count_copied",
      `WITH ${TABLES.map((table) => `copied_${table} AS (SELECT ${rowBytes(table, "x")} AS bytes FROM ${names[table]} x WHERE x.thread_id = $1)`).join(", ")}
${answer}`,
    ),
  };
});
