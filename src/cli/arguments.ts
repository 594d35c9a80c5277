/** What people type, as the values that functions take; what makes no sense is refused here. */
import { type Command, InvalidArgumentError } from "commander";

/** A whole number of 1 or more: zero and less must never come to mean "everything". */
export function count(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of 1 or more.");
}

export function version(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a version: a whole number of 0 or more.");
}

export function time(text: string): Date {
  const date = new Date(text);
  if (!Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError("It must be a time, such as 2026-01-31T12:00:00Z.");
}

export function object(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError('It must be a JSON object, such as {"user":"u1"}.');
}

/** `--thread a --thread b`. */
export function several(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Shows examples under a command's help. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length === 1 ? "Example" : "Examples";
  return command.addHelpText(
    "after",
    `\n${title}:\n${lines.map((line) => `  $ langgraph-postgres ${line}`).join("\n")}`,
  );
}
