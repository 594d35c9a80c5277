/** Reading threads from JSON Lines that `exportThreads` wrote. */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Cipher } from "../encryption/cipher.ts";
import {
  CorruptCheckpointError,
  InvalidOptionError,
  ThreadExistsError,
  TransferError,
} from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Executor } from "../postgres/database.ts";
import { removalStatements } from "../retention/removal-statements.ts";
import { lockThread } from "../retention/round.ts";
import { chunkLiteral } from "../storage/chunk-ids.ts";
import { checkThreadId } from "../storage/names.ts";
import type { Storage } from "../storage/storage.ts";
import { verifyChunk } from "../values/codec.ts";
import {
  type Counts,
  damaged,
  type ExportLine,
  type ExportRow,
  PART_NAMES,
  PARTS,
  type Part,
} from "./export-format.ts";
import { exportLines, type Lines } from "./export-lines.ts";
import { exportStatements } from "./export-statements.ts";
import type { TransferOptions } from "./progress.ts";
import { receiveRow } from "./stored-rows.ts";

/** How threads are read from a file. */
export interface ImportThreadsOptions extends TransferOptions {
  /**
   * What to do with a thread that is here already: `"error"`, the default, `"skip"` it, or
   * `"replace"` the one here.
   */
  readonly ifExists?: "error" | "skip" | "replace";
}

/** What was read. */
export interface ImportThreadsReport {
  /** Threads that were put back. */
  readonly threads: number;
  /** Threads that were here already and were skipped. */
  readonly skipped: number;
  /** Checkpoints and records of the threads that were put back. */
  readonly checkpoints: number;
}

const OPTIONS = [
  "ifExists",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof ImportThreadsOptions)[];
/** What one statement adds at most, in rows and in characters. */
const MAX_ROWS = 500;
const MAX_LENGTH = 4 * 1024 * 1024;

type Place = Pick<Storage, "database" | "names" | "removeExpired" | "cipher">;

/**
 * Reads threads from an export, each in a transaction: it is here whole or not at all. Chunks are
 * proven to be what their ids say. Memory does not grow with the file. After a kill, call it again
 * with `ifExists: "skip"`. An encrypted store seals what it takes, whether or not the export is
 * encrypted; an encrypted export needs the keys that it was written with.
 *
 * @param source A file, compressed where its name ends in `.gz`, or a stream of JSON Lines.
 * @throws {TransferError} `INVALID_EXPORT` for what is not an export, or damaged;
 *   `EXPORT_TOO_NEW` for one of a newer version.
 * @throws {ThreadExistsError} for a thread that is here, unless `ifExists` says what to do.
 *
 * @example
 * ```ts
 * const { threads } = await importThreads(storage, "backup.jsonl.gz", { ifExists: "skip" });
 * ```
 */
export async function importThreads(
  storage: Place,
  source: string | Readable,
  options: ImportThreadsOptions = {},
): Promise<ImportThreadsReport> {
  refuseUnknownKeys(options, OPTIONS, "import");
  const { ifExists = "error" } = options;
  if (!["error", "skip", "replace"].includes(ifExists)) {
    throw new InvalidOptionError(
      `ifExists must be "error", "skip" or "replace", got ${describe(ifExists)}.`,
    );
  }
  const lines = exportLines(source);
  try {
    return await importAll(storage, lines, ifExists, options);
  } finally {
    // Closes the file wherever reading ended.
    await lines.return(undefined);
  }
}

async function importAll(
  storage: Place,
  lines: Lines,
  ifExists: "error" | "skip" | "replace",
  { signal, onProgress }: ImportThreadsOptions,
): Promise<ImportThreadsReport> {
  const report = { threads: 0, skipped: 0, checkpoints: 0 };
  for (;;) {
    signal?.throwIfAborted();
    const { value: first } = await lines.next();
    if (first === undefined) {
      throw new TransferError(
        "INVALID_EXPORT",
        `The export is cut off: its last line is missing. The ${report.threads} threads before were imported.`,
      );
    }
    const { line, number } = first;
    if (line.kind === "done") {
      if (line.threads !== report.threads + report.skipped) {
        throw damaged(
          number,
          `it counts ${line.threads} threads, and there were ${report.threads + report.skipped}`,
        );
      }
      return report;
    }
    if (line.kind !== "thread") throw damaged(number, "it belongs to no thread");
    const threadId = checkThreadId(line.row.thread_id);
    const counts = await importThread(storage, threadId, line.row, lines, ifExists);
    if (counts === undefined) report.skipped += 1;
    else {
      report.threads += 1;
      report.checkpoints += counts.checkpoints;
    }
    const done = report.threads + report.skipped;
    onProgress?.({ threadId, done, total: undefined, checkpoints: report.checkpoints });
  }
}

/** Undefined if the thread was skipped. */
async function importThread(
  storage: Place,
  threadId: string,
  row: ExportRow,
  lines: Lines,
  ifExists: "error" | "skip" | "replace",
): Promise<Counts | undefined> {
  const { database, names, cipher } = storage;
  const statements = exportStatements(names);
  // An expired thread is as good as gone.
  await storage.removeExpired(threadId);
  const begin = [
    threadId,
    randomUUID(),
    row.last_seq,
    row.created_at,
    row.updated_at,
    row.expires_at,
  ] as string[];
  const work = async (tx: Executor): Promise<Counts | undefined> => {
    let [begun] = await tx.execute(statements.begin, begin);
    if (begun === undefined && ifExists === "error") {
      throw new ThreadExistsError(
        `Thread ${JSON.stringify(threadId)} exists already. Skip or replace such threads, or delete it first; the threads before it were imported.`,
      );
    }
    if (begun === undefined && ifExists === "skip") {
      for await (const { line } of untilEnd(lines)) void line;
      return undefined;
    }
    if (begun === undefined) {
      await lockThread(tx, { names }, threadId, {});
      // A statement of its own: it has to see what was committed while the lock was waited for.
      await tx.execute(removalStatements(names).removeThread, [threadId]);
      [begun] = await tx.execute(statements.begin, begin);
    }
    return fill(tx, statements, threadId, lines, cipher);
  };
  // The lines cannot be read twice, so the transaction cannot be repeated.
  return database.transaction(work, { retry: false, deadline: Number.POSITIVE_INFINITY });
}

async function fill(
  tx: Executor,
  statements: ReturnType<typeof exportStatements>,
  threadId: string,
  lines: Lines,
  cipher: Cipher | undefined,
): Promise<Counts> {
  const counts: Record<string, number> = {};
  let rows: ExportRow[] = [];
  let part: Part = "chunk";
  let length = 0;
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    const columns = Object.keys(PARTS[part].columns).map((column) =>
      textArray(rows.map((row) => cellOf(row[column]))),
    );
    await tx.execute(statements.insert[part], [threadId, ...columns]);
    rows = [];
    length = 0;
  };
  for await (const { line, number } of untilEnd(lines)) {
    if (line.kind === "end") {
      await flush();
      for (const name of PART_NAMES) {
        const { table } = PARTS[name];
        if (line.counts[table] !== (counts[table] ?? 0)) {
          throw damaged(
            number,
            `it counts ${line.counts[table]} ${table}, and there were ${counts[table] ?? 0}`,
          );
        }
      }
      const [missing] = await tx.execute(statements.dangling, [threadId]);
      if (missing) throw damaged(number, `chunk ${missing[0]} of its thread is missing`);
      return line.counts;
    }
    const row = await received(cipher, threadId, line.kind, line.row, number);
    if (line.kind !== part || rows.length >= MAX_ROWS || length >= MAX_LENGTH) await flush();
    part = line.kind;
    rows.push(row);
    length += lengthOf(row);
    const { table } = PARTS[part];
    counts[table] = (counts[table] ?? 0) + 1;
  }
  throw new TransferError(
    "INVALID_EXPORT",
    `The export is cut off within thread ${JSON.stringify(threadId)}. The threads before it were imported.`,
  );
}

type Inner = {
  readonly line: Exclude<ExportLine, { kind: "done" | "thread" }>;
  readonly number: number;
};

/** The lines of one thread, its end included. */
async function* untilEnd(lines: Lines): AsyncGenerator<Inner> {
  for (;;) {
    const { value } = await lines.next();
    if (value === undefined) return;
    const { line, number } = value;
    if (line.kind === "thread" || line.kind === "done")
      throw damaged(number, "the thread before it has no end");
    yield { line, number };
    if (line.kind === "end") return;
  }
}

async function received(
  cipher: Cipher | undefined,
  threadId: string,
  part: Part,
  row: ExportRow,
  number: number,
): Promise<ExportRow> {
  try {
    const own = await receiveRow(cipher, threadId, part, row);
    if (part === "chunk" && cipher === undefined) checkChunk(row, number);
    return own;
  } catch (error) {
    if (!(error instanceof CorruptCheckpointError)) throw error;
    throw damaged(number, error.message, error);
  }
}

function checkChunk({ chunk_id, payload, children }: ExportRow, number: number): void {
  const chunk = {
    id: chunk_id as string,
    payload: payload as string | null,
    children: children as string[] | null,
  };
  if (!verifyChunk(chunk))
    throw damaged(number, `chunk ${chunk.id} does not hold what its id says`);
}

function cellOf(cell: ExportRow[string] | undefined): string | null {
  return Array.isArray(cell) ? chunkLiteral(cell) : ((cell as string | null | undefined) ?? null);
}

function lengthOf(row: ExportRow): number {
  return Object.values(row).reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
}
