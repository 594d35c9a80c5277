/** Rewriting what is stored under the first key: after a new key, or after encryption was configured. */
import { randomUUID } from "node:crypto";
import type { Cipher } from "../encryption/cipher.ts";
import { InvalidOptionError, LangGraphPostgresError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { textArray, uuidArray } from "../postgres/arrays.ts";
import type { Executor, Param } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";
import { threadIds } from "../retention/prune-options.ts";
import { lockThread } from "../retention/round.ts";
import { visibleKeys } from "../storage/filter-metadata.ts";
import type { Storage } from "../storage/storage.ts";
import { pagesOf, reseal } from "./rewrite.ts";
import { type Cells, type Part, rewriteStatements, rowColumns } from "./rewrite-statements.ts";

/** What is rewritten, and who is told. */
export interface ReencryptOptions {
  /** Only these threads. Default: all. */
  readonly threads?: readonly string[];
  /**
   * Whether to write anew what may be seen of the metadata of all checkpoints: for keys that were
   * added to `plainMetadata`. Keys that were removed from it are found without this.
   */
  readonly metadata?: boolean;
  /** Ends the work; the thread that is under way stays as it was. The promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each thread. */
  readonly onProgress?: (progress: ReencryptProgress) => void;
}

/** What was rewritten so far. */
export interface ReencryptProgress {
  /** The thread that was done last. */
  readonly threadId: string;
  /** Threads that are done, those that needed nothing included. */
  readonly done: number;
  /** How many there are, as counted at the beginning. */
  readonly total: number;
  /** Rows that were rewritten so far. */
  readonly rows: number;
}

/** What was rewritten. */
export interface ReencryptReport {
  /** Threads of which something was rewritten. */
  readonly threads: number;
  /** Threads that were under the first key already. */
  readonly unchanged: number;
  /** Rows that were rewritten. */
  readonly rows: number;
  /** Threads that could not be read, and why: a key is missing, or rows are damaged. They are as they were. */
  readonly refused: readonly {
    /** The thread. */
    readonly threadId: string;
    /** What stood in the way. */
    readonly message: string;
  }[];
}

const OPTIONS = [
  "threads",
  "metadata",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof ReencryptOptions)[];
const THREADS_A_PAGE = 500;
const PARTS: readonly Part[] = ["chunks", "values", "checkpoints", "writes"];

type Encrypted = Pick<Storage, "database" | "names"> & { readonly cipher: Cipher };

/**
 * Rewrites every row that is not under the first key, thread by thread, each in a transaction that
 * holds the thread: its writers wait. May be stopped at any time and repeated: threads that are done
 * are passed over. Rows that are not encrypted are met only with `allowPlaintext: true`.
 *
 * @throws {InvalidOptionError} where no encryption is configured.
 */
export async function reencrypt(
  { database, names, cipher }: Pick<Storage, "database" | "names" | "cipher">,
  options: ReencryptOptions = {},
): Promise<ReencryptReport> {
  refuseUnknownKeys(options, OPTIONS, "reencrypt");
  const { metadata = false, signal, onProgress } = options;
  if (typeof metadata !== "boolean") {
    throw new InvalidOptionError(`metadata must be true or false, got ${describe(metadata)}.`);
  }
  if (cipher === undefined) {
    throw new InvalidOptionError(
      "reencrypt needs the keys: open the store with encryption: { keys: […] }.",
    );
  }
  const wanted = options.threads && threadIds(options.threads, "threads");
  const old = [cipher.header, textArray(visibleKeys(cipher.plainMetadata)), metadata];
  const { count } = listStatements(names);
  const total = wanted?.length ?? Number((await database.execute(count, []))[0]?.[0]);
  const report = { threads: 0, unchanged: 0, rows: 0 };
  const refused: { threadId: string; message: string }[] = [];
  let done = 0;
  for await (const threadId of wanted ?? threadsOf(database, names)) {
    signal?.throwIfAborted();
    try {
      const rows = await reencryptThread({ database, names, cipher }, threadId, old, signal);
      report[rows === 0 ? "unchanged" : "threads"] += 1;
      report.rows += rows;
    } catch (error) {
      if (!isAboutThread(error)) throw error;
      refused.push({ threadId, message: error.message });
    }
    done += 1;
    onProgress?.({ threadId, done, total, rows: report.rows });
  }
  return { ...report, refused };
}

/** How many rows were rewritten. */
async function reencryptThread(
  { database, names, cipher }: Encrypted,
  threadId: string,
  old: readonly Param[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const { anyOld, renew } = rewriteStatements(names);
  // Without a lock: most threads of a repetition need nothing.
  if ((await database.execute(anyOld, [threadId, ...old])).length === 0) return 0;
  const route = { cipher, from: threadId, to: threadId };
  const work = async (tx: Executor): Promise<number> => {
    if ((await lockThread(tx, { names }, threadId, {})) === undefined) return 0;
    let count = 0;
    for (const part of PARTS) {
      for await (const page of pagesOf(tx, names, part, threadId, old)) {
        signal?.throwIfAborted();
        const rows: Cells[] = [];
        for (const cells of page) rows.push(await reseal(part, route, cells));
        await replace(tx, names, part, threadId, page, rows);
        count += rows.length;
      }
    }
    // Chunks have other ids now: who counts on the old ones has to hear of it.
    if (count > 0) await tx.execute(renew, [threadId, randomUUID()]);
    return count;
  };
  return database.transaction(work, { deadline: Number.POSITIVE_INFINITY });
}

async function replace(
  tx: Executor,
  names: TableNames,
  part: Part,
  threadId: string,
  before: readonly Cells[],
  rows: readonly Cells[],
): Promise<void> {
  const { add, update, dropChunks } = rewriteStatements(names);
  const columns = rowColumns(part, rows);
  if (part !== "chunks") {
    await tx.execute(update[part], [threadId, ...columns]);
    return;
  }
  // One that is stored under both keys is there already. Two statements: as one they run in no order.
  await tx.execute(add.chunks, [threadId, ...columns]);
  const ids = before.map(({ chunk_id }) => chunk_id as string);
  await tx.execute(dropChunks, [threadId, uuidArray(ids)]);
}

/** What one thread holds is no reason to leave the others. */
const ABOUT_THREAD = new Set(["CORRUPT_CHECKPOINT", "DECRYPTION_FAILED", "PLAINTEXT_REFUSED"]);

function isAboutThread(error: unknown): error is LangGraphPostgresError {
  return error instanceof LangGraphPostgresError && ABOUT_THREAD.has(error.code);
}

interface ListStatements {
  readonly count: Statement;
  /** `$1` the last id seen, `$2` how many: ids of threads, expired ones included. */
  readonly page: Statement;
}

const listStatements: (names: TableNames) => ListStatements = perStore((names) => ({
  count: statement("reencrypt_count", `SELECT count(*)::text FROM ${names.threads}`),
  page: statement(
    "reencrypt_threads",
    `SELECT thread_id FROM ${names.threads} WHERE thread_id > $1 COLLATE "C" ORDER BY thread_id LIMIT $2::int8`,
  ),
}));

async function* threadsOf(database: Executor, names: TableNames): AsyncGenerator<string> {
  for (let last = ""; ; ) {
    const rows = await database.execute(listStatements(names).page, [last, THREADS_A_PAGE]);
    const ids = rows.map((row) => row[0] ?? "");
    yield* ids;
    if (ids.length < THREADS_A_PAGE) return;
    last = ids.at(-1) ?? "";
  }
}
