/** Nothing is destroyed unless somebody said so. */
import { createInterface } from "node:readline/promises";
import { EXIT } from "./exit-codes.ts";
import { CommandEnd } from "./failure.ts";

/** Returns where it was confirmed, by `--yes` or by an answer; throws where it was not. */
export async function confirm(
  what: string,
  options: { readonly yes?: boolean | undefined; readonly signal: AbortSignal },
): Promise<void> {
  if (options.yes) return;
  if (!process.stdin.isTTY) {
    throw new CommandEnd(
      EXIT.notConfirmed,
      `${what} Nothing was done: there is no terminal to ask at. Pass --yes if that is meant.`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${what} Go on? [y/N] `, { signal: options.signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
    throw new CommandEnd(EXIT.notConfirmed, "Nothing was done.");
  } finally {
    terminal.close();
  }
}
