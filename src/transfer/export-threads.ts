/** Writing threads to JSON Lines. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Cipher } from "../encryption/cipher.ts";
import { InvalidOptionError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import type { Executor, Row } from "../postgres/database.ts";
import { threadIds } from "../retention/prune-options.ts";
import { chunkIds } from "../storage/chunk-ids.ts";
import type { Storage } from "../storage/storage.ts";
import {
  EXPORT_VERSION,
  type ExportRow,
  FORMAT,
  PART_NAMES,
  PARTS,
  type Part,
  THREAD_COLUMNS,
} from "./export-format.ts";
import { type ExportStatements, exportStatements, KEYS } from "./export-statements.ts";
import type { TransferOptions } from "./progress.ts";
import { openRow, uncompressed } from "./stored-rows.ts";

/** How threads are written to a file. */
export interface ExportOptions extends TransferOptions {
  /** Only these threads; unknown ones are passed over. Default: all. */
  readonly threads?: readonly string[];
  /**
   * Whether to write in plain text what is encrypted here. Default false: it is written as it is
   * stored, and can be imported where its key is configured.
   */
  readonly decrypt?: boolean;
}

/** What was written. */
export interface ExportReport {
  /** Threads in the file. */
  readonly threads: number;
  /** Checkpoints and records in the file. */
  readonly checkpoints: number;
  /** Characters of JSON, before compression. */
  readonly characters: number;
}

const OPTIONS = [
  "threads",
  "decrypt",
  "signal",
  "onProgress",
] as const satisfies readonly (keyof ExportOptions)[];
const THREADS_A_PAGE = 500;
/** Rows that are in memory at once. */
const ROWS_A_PAGE = 200;

/**
 * Writes threads as they are, each as of one moment, to a file or stream: checkpoints of all
 * namespaces, records, pending writes, times. Chunks are written once a thread, so the file is about
 * as large as the store. Memory does not grow with it. Leases and expired threads are left out.
 *
 * A file whose name ends in `.gz` is compressed. It gets its name when it is complete.
 *
 * @throws {InvalidOptionError} for unknown or impossible options.
 *
 * @example
 * ```ts
 * const { threads } = await exportThreads(storage, "backup.jsonl.gz");
 * ```
 */
export async function exportThreads(
  storage: Pick<Storage, "database" | "names" | "cipher">,
  destination: string | Writable,
  options: ExportOptions = {},
): Promise<ExportReport> {
  refuseUnknownKeys(options, OPTIONS, "export");
  const wanted = options.threads && threadIds(options.threads, "threads");
  const { decrypt = false } = options;
  if (typeof decrypt !== "boolean") {
    throw new InvalidOptionError(`decrypt must be true or false, got ${describe(decrypt)}.`);
  }
  if (decrypt && storage.cipher === undefined) {
    throw new InvalidOptionError(
      "decrypt needs the keys: open the store with encryption: { keys: […] }.",
    );
  }
  if (typeof destination !== "string") return write(storage, destination, wanted, options);
  if (destination === "") {
    throw new InvalidOptionError(
      `The file to export to must have a name, got ${describe(destination)}.`,
    );
  }
  const partial = `${destination}.partial`;
  const file = createWriteStream(partial);
  try {
    await once(file, "open");
    const target = destination.endsWith(".gz") ? createGzip() : file;
    if (target !== file) target.pipe(file);
    const written = Promise.all([finished(file), finished(target)]);
    // Its rejection is met below; until then nobody listens.
    written.catch(() => {});
    const report = await write(storage, target, wanted, options);
    target.end();
    await written;
    await rename(partial, destination);
    return report;
  } catch (error) {
    file.destroy();
    await rm(partial, { force: true });
    throw error;
  }
}

async function write(
  { database, names, cipher }: Pick<Storage, "database" | "names" | "cipher">,
  target: Writable,
  wanted: readonly string[] | undefined,
  { signal, onProgress, decrypt }: ExportOptions,
): Promise<ExportReport> {
  const statements = exportStatements(names);
  let characters = 0;
  const line = async (content: object): Promise<void> => {
    const text = `${JSON.stringify(content)}\n`;
    characters += text.length;
    // Where the reader is slow, rows wait in the database and not in memory.
    if (!target.write(text)) await drained(target);
  };
  const total = wanted?.length ?? Number((await database.execute(statements.count, []))[0]?.[0]);
  await line({ format: FORMAT, version: EXPORT_VERSION });
  const report = { threads: 0, checkpoints: 0 };
  let done = 0;
  for await (const threadId of wanted ?? threadsOf(database, statements)) {
    signal?.throwIfAborted();
    const checkpoints = await database.transaction(
      (tx) => exportThread(tx, statements, threadId, line, decrypt ? cipher : undefined),
      { retry: false, deadline: Number.POSITIVE_INFINITY },
    );
    if (checkpoints !== undefined) {
      report.threads += 1;
      report.checkpoints += checkpoints;
    }
    done += 1;
    onProgress?.({ threadId, done, total, checkpoints: report.checkpoints });
  }
  await line({ done: { threads: report.threads } });
  return { ...report, characters };
}

/** Its checkpoints; undefined if there is no such thread. */
async function exportThread(
  tx: Executor,
  statements: ExportStatements,
  threadId: string,
  line: (content: object) => Promise<void>,
  cipher: Cipher | undefined,
): Promise<number | undefined> {
  await tx.execute(statements.snapshot, []);
  const [thread] = await tx.execute(statements.thread, [threadId]);
  if (thread === undefined) return undefined;
  await line({ thread: rowOf(thread, THREAD_COLUMNS) });
  const counts: Record<string, number> = {};
  for (const part of PART_NAMES) {
    let count = 0;
    for await (const row of rowsOf(tx, statements, threadId, part)) {
      const cells = rowOf(row, PARTS[part].columns);
      const opened = cipher ? await openRow(cipher, threadId, part, cells) : cells;
      await line({ [part]: part === "chunk" ? uncompressed(opened) : opened });
      count += 1;
    }
    counts[PARTS[part].table] = count;
  }
  await line({ end: counts });
  return counts.checkpoints ?? 0;
}

async function* rowsOf(
  tx: Executor,
  statements: ExportStatements,
  threadId: string,
  part: Part,
): AsyncGenerator<Row> {
  const keys = KEYS[part].length;
  let last: readonly (string | null)[] = Array.from({ length: keys }, () => null);
  for (;;) {
    const rows = await tx.execute(statements.page[part], [threadId, ROWS_A_PAGE, ...last]);
    yield* rows;
    if (rows.length < ROWS_A_PAGE) return;
    last = rows.at(-1)?.slice(-keys) ?? last;
  }
}

function rowOf(row: Row, columns: Readonly<Record<string, string>>): ExportRow {
  return Object.fromEntries(
    Object.entries(columns).flatMap(([name, type], i) => {
      // Most rows have none.
      if (name === "base64" && row[i] == null) return [];
      return [[name, type === "ids?" ? chunkIds(row[i]) : (row[i] ?? null)]];
    }),
  );
}

async function* threadsOf(
  database: Executor,
  { threads }: ExportStatements,
): AsyncGenerator<string> {
  for (let last = ""; ; ) {
    const rows = await database.execute(threads, [last, THREADS_A_PAGE]);
    const ids = rows.map((row) => row[0] ?? "");
    yield* ids;
    if (ids.length < THREADS_A_PAGE) return;
    last = ids.at(-1) ?? "";
  }
}

/** Rejects where the stream breaks instead of draining. */
function drained(target: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      target.off("drain", settle).off("close", settle).off("error", settle);
      if (target.errored) reject(target.errored);
      else if (target.destroyed) {
        reject(new Error("The stream was closed before the export was complete."));
      } else resolve();
    };
    target.on("drain", settle).on("close", settle).on("error", settle);
    if (target.destroyed) settle();
  });
}
