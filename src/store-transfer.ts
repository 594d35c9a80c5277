/** The part of a store that moves threads in and out. */
import type { Readable, Writable } from "node:stream";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { StoreMaintenance } from "./store-maintenance.ts";
import { type CopyFromOptions, type CopyFromReport, copyFrom } from "./transfer/copy-from.ts";
import { type ExportOptions, type ExportReport, exportThreads } from "./transfer/export-threads.ts";
import {
  type ImportOptions,
  type ImportReport,
  importOfficial,
} from "./transfer/import-official.ts";
import {
  type ImportThreadsOptions,
  type ImportThreadsReport,
  importThreads,
} from "./transfer/import-threads.ts";

export abstract class StoreTransfer extends StoreMaintenance {
  /**
   * Copies threads from the tables of `@langchain/langgraph-checkpoint-postgres`, each whole in one
   * transaction, and compares each checkpoint with the source. May be stopped and repeated; what
   * changed on both sides is named in the report and left alone.
   *
   * @throws {TransferError} `INVALID_SOURCE`, `VERIFICATION_FAILED`.
   *
   * @example
   * ```ts
   * const { threads, diverged } = await store.importOfficial({ schema: "public" });
   * ```
   */
  importOfficial(options: ImportOptions = {}): Promise<ImportReport> {
    return this.run("importOfficial", undefined, () => importOfficial(this.storage, options));
  }

  /**
   * Copies threads from any other checkpointer, which is only read. May be stopped and repeated.
   *
   * @example
   * ```ts
   * import { MemorySaver } from "@langchain/langgraph";
   *
   * const { checkpoints } = await store.copyFrom(new MemorySaver(), ["42"]);
   * ```
   */
  copyFrom(
    saver: BaseCheckpointSaver,
    threads: readonly string[],
    options: CopyFromOptions = {},
  ): Promise<CopyFromReport> {
    return this.run("copyFrom", undefined, () => copyFrom(this.storage, saver, threads, options));
  }

  /** Writes threads as JSON Lines, each as of one moment; compressed where the file's name ends in `.gz`. */
  exportThreads(target: string | Writable, options: ExportOptions = {}): Promise<ExportReport> {
    return this.run("exportThreads", undefined, () => exportThreads(this.storage, target, options));
  }

  /**
   * Puts back what {@link exportThreads} wrote, each thread in one transaction, exactly as it was.
   *
   * @throws {ThreadExistsError} for a thread that is here, unless `ifExists` says what to do.
   * @throws {TransferError} `INVALID_EXPORT`, `EXPORT_TOO_NEW`.
   */
  importThreads(
    source: string | Readable,
    options: ImportThreadsOptions = {},
  ): Promise<ImportThreadsReport> {
    return this.run("importThreads", undefined, () => importThreads(this.storage, source, options));
  }
}
