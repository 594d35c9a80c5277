/** How a command's work is run. What is heavy is loaded when it is needed, so that --help is quick. */
import type { Command } from "commander";
import type { Session } from "./connection.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandEnd } from "./failure.ts";

/** Options of a run: see `withStorage`; `resume` says what to do after Ctrl-C. */
export interface RunOptions {
  readonly mayCreate?: boolean;
  /** With keys: whether rows that are not encrypted are read. */
  readonly allowPlaintext?: boolean;
  readonly resume?: string;
}

export async function withStore(
  command: Command,
  work: (session: Session) => Promise<void>,
  { resume, ...options }: RunOptions = {},
): Promise<void> {
  const { withStorage } = await import("./connection.ts");
  await withStorage(
    command,
    async (session) => {
      try {
        await work(session);
      } catch (error) {
        if (!session.signal.aborted || !isAbort(error)) throw error;
        throw interrupted(resume, error);
      }
    },
    options,
  );
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "ABORT_ERR");
}

function interrupted(resume: string | undefined, cause: unknown): CommandEnd {
  return new CommandEnd(
    EXIT.interrupted,
    `stopped at a clean point. ${resume ?? "Nothing was changed."}`,
    { cause },
  );
}
