/** reencrypt: what is stored, under the first key. */
import type { Command } from "commander";
import { examples, several } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandEnd } from "../failure.ts";
import { counted, printable } from "../output.ts";
import { withBar } from "../progress-bar.ts";
import { withStore } from "../run.ts";

interface ReencryptFlags {
  readonly thread?: string[];
  readonly allowPlaintext?: true;
  readonly metadata?: true;
}

export function addEncryptionCommand(program: Command): void {
  examples(
    program
      .command("reencrypt")
      .description(
        "rewrite what is not under the first key of LANGGRAPH_POSTGRES_KEYS, thread by thread",
      )
      .option("--thread <id>", "only this thread; may be repeated", several)
      .option("--allow-plaintext", "encrypt rows that are not encrypted, instead of refusing them")
      .option(
        "--metadata",
        "write anew what filters see of all metadata: after a key was added to LANGGRAPH_POSTGRES_PLAIN_METADATA",
      )
      .action((flags: ReencryptFlags, command: Command) => run(flags, command)),
    "reencrypt",
    "reencrypt --allow-plaintext --thread 42",
  );
}

function run(flags: ReencryptFlags, command: Command): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      const { reencrypt } = await import("../../threads/reencrypt.ts");
      const report = await withBar(out, "threads", (bar) =>
        reencrypt(storage, {
          ...(flags.thread ? { threads: flags.thread } : {}),
          metadata: flags.metadata === true,
          signal,
          onProgress: ({ done, total }) => bar.at(done, total),
        }),
      );
      const { threads, unchanged, rows, refused } = report;
      out.data(report, () =>
        [
          `Rewrote ${counted(rows, "row")} of ${counted(threads, "thread")}; ${counted(unchanged, "thread")} needed nothing.`,
          ...refused.map(({ threadId, message }) => `refused: ${printable(threadId)}: ${message}`),
        ].join("\n"),
      );
      if (refused.length > 0) {
        throw new CommandEnd(
          EXIT.failed,
          `${counted(refused.length, "thread")} could not be rewritten.`,
        );
      }
    },
    {
      allowPlaintext: flags.allowPlaintext === true,
      resume: "To go on, run the same command again: threads that are done are passed over.",
    },
  );
}
