/** copy, import, export: threads from one place to another. */
import type { Command } from "commander";
import { InvalidOptionError } from "../../errors.ts";
import type { Storage } from "../../storage/storage.ts";
import { count, examples, several } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandEnd } from "../failure.ts";
import { bytes, counted, type Output, printable } from "../output.ts";
import { withBar } from "../progress-bar.ts";
import { withStore } from "../run.ts";

interface ImportFlags {
  readonly fromSchema?: string;
  readonly fromUrl?: string;
  readonly thread?: string[];
  readonly parallel?: number;
  readonly verify: boolean;
  readonly settle?: "here" | "there";
  readonly yes?: true;
  readonly ifExists?: "error" | "skip" | "replace";
}

interface ExportFlags {
  readonly thread?: string[];
  readonly decrypt?: true;
}

export function addTransferCommands(program: Command): void {
  examples(
    program
      .command("copy")
      .description("copy a thread to a new one, with its whole history")
      .argument("<from>", "the thread's id")
      .argument("<to>", "the id of the copy; there must be no such thread")
      .action((from: string, to: string, _: object, command: Command) => copy(from, to, command)),
    "copy 42 42-what-if",
  );
  examples(
    program
      .command("import")
      .description(
        "import threads from a file that export wrote, or, without one, from the tables of @langchain/langgraph-checkpoint-postgres",
      )
      .argument("[file]", 'JSON Lines, compressed if the name ends in .gz; "-" for standard input')
      .option(
        "--if-exists <what>",
        "for a file: error, skip or replace threads that are here already",
      )
      .option("--from-schema <name>", 'the schema of the official tables (default: "public")')
      .option("--from-url <url>", "where the official tables are, if in another database")
      .option("--thread <id>", "only this official thread; may be repeated", several)
      .option("--parallel <n>", "official threads at a time (default: 4)", count)
      .option(
        "--settle <side>",
        "with --thread, where the two sides are not the same any more: keep what is here, or take what is there",
      )
      .option("--yes", "do not ask before --settle there deletes what is here")
      .option("--no-verify", "do not read back and compare what was imported")
      .action((file: string | undefined, flags: ImportFlags, command: Command) =>
        file === undefined ? importOfficial(flags, command) : importFile(file, flags, command),
      ),
    "import --from-schema public",
    "import backup.jsonl.gz --if-exists skip",
  );
  examples(
    program
      .command("export")
      .description("write threads to a file of JSON Lines")
      .argument("<file>", 'compressed if the name ends in .gz; "-" for standard output')
      .option("--thread <id>", "only this thread; may be repeated", several)
      .option("--decrypt", "write in plain text what is encrypted; needs the keys")
      .action((file: string, flags: ExportFlags, command: Command) =>
        exportFile(file, flags, command),
      ),
    "export backup.jsonl.gz",
    "export - --thread 42 | jq .",
  );
}

function copy(from: string, to: string, command: Command): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const { copyThread } = await import("../../threads/copy-thread.ts");
    const copied = await copyThread(storage, from, to);
    if (copied === undefined) {
      const { CheckpointNotFoundError } = await import("../../errors.ts");
      throw new CheckpointNotFoundError(
        `There is no thread ${JSON.stringify(from)} in ${storage.names.checkpoints}.`,
      );
    }
    out.data(
      copied,
      () => `Copied ${counted(copied.checkpoints, "checkpoint")}: ${bytes(copied.bytes)}.`,
    );
  });
}

const AGAIN = "To go on, run the same command again: what is whole is passed over.";

function importOfficial(flags: ImportFlags, command: Command): Promise<void> {
  if (flags.ifExists !== undefined) {
    throw new InvalidOptionError("--if-exists belongs to the import of a file; name the file.");
  }
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      if (flags.settle === "there") await confirmReplacing(storage, flags, signal);
      const official = await import("../../transfer/import-official.ts");
      const { createPool } = await import("../../postgres/pool.ts");
      const from =
        flags.fromUrl === undefined ? undefined : createPool({ connString: flags.fromUrl });
      try {
        const report = await withBar(out, "threads", (bar) =>
          official.importOfficial(storage, {
            ...(from ? { from } : {}),
            ...(flags.fromSchema === undefined ? {} : { schema: flags.fromSchema }),
            ...(flags.thread ? { threads: flags.thread } : {}),
            ...(flags.parallel ? { parallel: flags.parallel } : {}),
            ...(flags.settle ? { settle: flags.settle } : {}),
            verify: flags.verify,
            signal,
            onProgress: ({ done, total }) => bar.at(done, total),
          }),
        );
        const { threads, unchanged, checkpoints, bytesBefore, bytesAfter, diverged, refused } =
          report;
        out.data(report, () =>
          [
            `Imported ${counted(threads, "thread")} with ${counted(checkpoints, "checkpoint")}${flags.verify ? ", each read back and compared" : ""}: ${bytes(bytesBefore)} there, ${bytes(bytesAfter)} here.`,
            ...(unchanged > 0
              ? [`${counted(unchanged, "thread")} were here already, or were deleted here.`]
              : []),
            ...diverged.map(
              (id) =>
                `left alone: ${printable(id)} changed there, and is not any more what came from there; say which stays: --thread ${printable(id)} --settle here, or there`,
            ),
            ...refused.map(
              ({ threadId, message }) => `refused: ${printable(threadId)}: ${message}`,
            ),
          ].join("\n"),
        );
        if (diverged.length + refused.length > 0) {
          throw new CommandEnd(
            EXIT.failed,
            `${counted(diverged.length + refused.length, "thread")} could not be imported.`,
          );
        }
      } finally {
        await from?.end();
      }
    },
    { resume: AGAIN },
  );
}

async function confirmReplacing(
  storage: Storage,
  { thread = [], yes }: ImportFlags,
  signal: AbortSignal,
): Promise<void> {
  const { countThread } = await import("../../retention/remove-thread.ts");
  let checkpoints = 0;
  for (const id of thread) checkpoints += (await countThread(storage, id))?.checkpoints ?? 0;
  if (checkpoints === 0) return;
  const what = `This deletes ${counted(checkpoints, "checkpoint")} of ${counted(thread.length, "thread")} here, and takes what the official tables hold.`;
  await confirm(what, { yes, signal });
}

function importFile(file: string, flags: ImportFlags, command: Command): Promise<void> {
  const given = [flags.fromSchema, flags.fromUrl, flags.thread, flags.parallel, flags.settle];
  if (given.some((one) => one !== undefined)) {
    throw new InvalidOptionError(
      "--from-schema, --from-url, --thread, --parallel and --settle belong to the import of official tables; leave the file out.",
    );
  }
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      const { importThreads } = await import("../../transfer/import-threads.ts");
      const report = await withBar(out, "threads", (bar) =>
        importThreads(storage, file === "-" ? process.stdin : file, {
          ...(flags.ifExists ? { ifExists: flags.ifExists } : {}),
          signal,
          onProgress: ({ done, total }) => bar.at(done, total),
        }),
      );
      const skipped =
        report.skipped > 0 ? `; skipped ${report.skipped} that were here already` : "";
      out.data(
        report,
        () =>
          `Imported ${counted(report.threads, "thread")} with ${counted(report.checkpoints, "checkpoint")}${skipped}.`,
      );
    },
    { resume: "To go on, run the same command again with --if-exists skip." },
  );
}

function exportFile(
  file: string,
  { thread, decrypt }: ExportFlags,
  command: Command,
): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      if (thread) await refuseUnknown(storage, thread);
      const { exportThreads } = await import("../../transfer/export-threads.ts");
      const report = await withBar(out, "threads", (bar) =>
        exportThreads(storage, file === "-" ? process.stdout : file, {
          ...(thread ? { threads: thread } : {}),
          decrypt: decrypt === true,
          signal,
          onProgress: ({ done, total }) => bar.at(done, total),
        }),
      );
      const text = `Exported ${counted(report.threads, "thread")} with ${counted(report.checkpoints, "checkpoint")}.`;
      tell(out, file, report, text);
    },
    { resume: "No file was written." },
  );
}

/** On standard output stands the export itself, and nothing else. */
function tell(out: Output, file: string, report: object, text: string): void {
  if (file === "-") out.note(text);
  else out.data(report, () => text);
}

async function refuseUnknown(storage: Storage, threads: readonly string[]): Promise<void> {
  const { getThread } = await import("../../threads/list-threads.ts");
  const { CheckpointNotFoundError } = await import("../../errors.ts");
  for (const id of threads) {
    if (await getThread(storage, id)) continue;
    throw new CheckpointNotFoundError(
      `There is no thread ${JSON.stringify(id)} in ${storage.names.checkpoints}.`,
    );
  }
}
