/** An error as a person at a terminal needs it: one message, its code, nothing of the stack. */
import { LangGraphPostgresError } from "../errors.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { KEYS } from "./keys.ts";

/** A command ends with this exit code; the message, if there is one, has not been printed yet. */
export class CommandEnd extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message = "", options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** What the terminal adds where the message speaks of calls that a program would make. */
const HINTS: Readonly<Record<string, string>> = {
  TABLES_MISSING: "On the command line that is: langgraph-postgres migrate",
  DATA_LOSS_REFUSED: "On the command line that is: --allow-data-loss",
  DECRYPTION_FAILED: `On the command line the keys come from ${KEYS}="id:base64,id2:base64".`,
  PLAINTEXT_REFUSED: "On the command line that is: langgraph-postgres reencrypt --allow-plaintext",
  THREAD_EXISTS: "On the command line that is: import --if-exists skip (or replace)",
};

const STATEMENT = /^Statement \w+_[0-9a-f]{20} failed: /;

/** What to print and how to exit. */
export function describeFailure(error: unknown): { text: string; exitCode: number } {
  if (error instanceof CommandEnd) {
    return { text: error.message && `error: ${error.message}`, exitCode: error.exitCode };
  }
  if (error instanceof LangGraphPostgresError) {
    const hint = HINTS[error.code];
    return {
      // Which statement it was is nothing that a person at a terminal asks about.
      text: `error: ${error.message.replace(STATEMENT, "")} (${error.code})${hint ? `\n${hint}` : ""}`,
      exitCode: exitCodeOf(error.code),
    };
  }
  return { text: `error: ${foreign(error)}`, exitCode: EXIT.failed };
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOSPC: "the disk is full",
  EPIPE: "the reader closed the pipe",
};

/** Of an error that is not this package's own, only what can hold no secret. */
function foreign(error: unknown): string {
  if (!(error instanceof Error)) return "something that is no error was thrown";
  const { code, path } = error as NodeJS.ErrnoException;
  const known = FILE_ERRORS[code ?? ""];
  if (known) return `${path ?? "the file"}: ${known} (${code})`;
  return `${error.message.split("\n")[0]}${code ? ` (${code})` : ""}`;
}
