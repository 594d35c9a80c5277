/** Importing threads from the tables of `@langchain/langgraph-checkpoint-postgres`. */
import { InvalidOptionError, LangGraphPostgresError, ThreadDivergedError } from "../errors.ts";
import { adoptThread } from "../langgraph/adopt.ts";
import { openOfficial } from "../langgraph/official-source.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { createDatabase } from "../postgres/database.ts";
import type { DbPool } from "../postgres/driver.ts";
import { countOption, threadIds } from "../retention/prune-options.ts";
import type { Storage } from "../storage/storage.ts";
import { getThread } from "../threads/list-threads.ts";
import { inParallel, type TransferOptions } from "./progress.ts";
import { verifyPage } from "./verify-official.ts";

/** How threads of the official package are imported. */
export interface ImportOptions extends TransferOptions {
  /** Where the official tables are, if not in the database of the store. It is only read, and stays open. */
  readonly from?: DbPool;
  /** The schema of the official tables. Default `"public"`, the official package's own. */
  readonly schema?: string;
  /** Only these threads. Unknown ones are passed over. */
  readonly threads?: readonly string[];
  /** Threads at a time. Default 4. */
  readonly parallel?: number;
  /** Whether to read each checkpoint back and compare it with the source. Default true. */
  readonly verify?: boolean;
  /**
   * For `threads` that are named as diverged: `"here"` keeps what is here, and what the source has is
   * passed over from now on; `"there"` takes the source's, and what is here is deleted. So comes back
   * what was deleted here. Default: they are named and left alone.
   */
  readonly settle?: "here" | "there";
  /** Ends the work between two checkpoints, and leaves out the threads that they are of; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What was imported, and what was not. */
export interface ImportReport {
  /** Threads that were copied, or of which the rest was. */
  readonly threads: number;
  /** Threads that were here already, or had been and were deleted; the source had nothing new. */
  readonly unchanged: number;
  /** Checkpoints of the threads that were copied. */
  readonly checkpoints: number;
  /** Bytes of the copied threads' rows in the source, without indexes and page overhead. */
  readonly bytesBefore: number;
  /** The same, here. */
  readonly bytesAfter: number;
  /** Threads that changed in the source, and are not any more what came from there; they were left alone. */
  readonly diverged: readonly string[];
  /** Threads that cannot be imported, and why; nothing of them is here. */
  readonly refused: readonly RefusedThread[];
}

/** A thread that cannot be imported. */
export interface RefusedThread {
  /** Its id. */
  readonly threadId: string;
  /** What is wrong with it. */
  readonly message: string;
}

const OPTIONS = [
  "from",
  "schema",
  "threads",
  "parallel",
  "verify",
  "settle",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof ImportOptions)[];

/**
 * Copies threads from the tables of `@langchain/langgraph-checkpoint-postgres`: checkpoints of all
 * namespaces in their order, values, metadata and pending writes. Graphs go on with them here; the
 * integer versions of that package compare correctly with this one's. The source is only read.
 *
 * Each thread is one transaction: it may be stopped or killed at any moment and repeated, also while
 * stores with `adopt` take threads over themselves. What is here is passed over, and so is what was
 * deleted here. What the source has got since then is added to threads that are as they came; where
 * the thread here is not, it is named in `diverged` and left alone. Checkpoints get the time of their
 * import as `createdAt`; their own `ts` is what it was.
 *
 * Where two branches of a fork share a version there, the official saver has lost one branch's
 * value already; it cannot be found again.
 *
 * @throws {TransferError} `INVALID_SOURCE` where the tables are not the official package's,
 *   `VERIFICATION_FAILED` where a checkpoint reads back differently.
 * @throws {InvalidOptionError} for unknown or impossible options.
 *
 * @example
 * ```ts
 * const { threads, bytesBefore, bytesAfter } = await importOfficial(storage, { schema: "public" });
 * ```
 */
export async function importOfficial(
  storage: Storage,
  options: ImportOptions = {},
): Promise<ImportReport> {
  refuseUnknownKeys(options, OPTIONS, "import");
  const { schema = "public", signal, verify = true, onProgress } = options;
  const parallel = countOption(options.parallel ?? 4, "parallel");
  const wanted = options.threads && threadIds(options.threads, "threads");
  checkSettle(options);
  const database = options.from ? createDatabase({ pool: options.from }) : storage.database;
  try {
    const source = await openOfficial(database, schema);
    const total = wanted?.length ?? (await source.count());
    const report = { threads: 0, unchanged: 0, checkpoints: 0, bytesBefore: 0, bytesAfter: 0 };
    const diverged: string[] = [];
    const refused: RefusedThread[] = [];
    let done = 0;
    await inParallel(wanted ?? source.threads(), parallel, signal, async (threadId) => {
      try {
        const adopted = await adoptThread(storage, source, threadId, {
          signal,
          settle: options.settle,
          check: verify
            ? (tx, page) => verifyPage(storage.readerIn(tx), threadId, page)
            : undefined,
        });
        if (adopted.state === "unchanged") report.unchanged += 1;
        else if (adopted.state === "copied") {
          report.threads += 1;
          report.checkpoints += adopted.checkpoints;
          report.bytesBefore += adopted.bytes;
          report.bytesAfter += await bytesOf(storage, threadId);
        }
      } catch (error) {
        if (error instanceof ThreadDivergedError) diverged.push(threadId);
        else if (isAboutThread(error)) refused.push({ threadId, message: error.message });
        else throw error;
      }
      done += 1;
      onProgress?.({ threadId, done, total, checkpoints: report.checkpoints });
    });
    return { ...report, diverged: diverged.sort(), refused };
  } finally {
    if (options.from) await database.close();
  }
}

function checkSettle({ settle, threads }: ImportOptions): void {
  if (settle === undefined) return;
  if (settle !== "here" && settle !== "there") {
    throw new InvalidOptionError(`settle must be "here" or "there", got ${describe(settle)}.`);
  }
  if (threads === undefined) {
    throw new InvalidOptionError("settle is for threads that are named: pass threads.");
  }
}

/** What one thread holds is no reason to leave the others. */
const ABOUT_THREAD = new Set([
  "INVALID_CONFIG",
  "INVALID_SOURCE",
  "SERIALIZATION_FAILED",
  "THREAD_CONFLICT",
]);

function isAboutThread(error: unknown): error is LangGraphPostgresError {
  return error instanceof LangGraphPostgresError && ABOUT_THREAD.has(error.code);
}

/** The bytes here; the thread is complete, checked and committed. */
async function bytesOf(storage: Storage, threadId: string): Promise<number> {
  return (await getThread(storage, threadId))?.bytes ?? 0;
}
