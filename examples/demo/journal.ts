/**
 * What the agent did to the world outside: a file to which each piece of work adds a line at its end.
 * The database knows nothing of it, so it tells what really ran, and how often.
 */
import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface Entry {
  readonly process: string;
  readonly step: number;
  readonly node: string;
  readonly name: string;
  readonly receipt: string;
}

/** Adds a line and returns its receipt, which must be found in the agent's state later. */
export function perform(file: string, done: Omit<Entry, "receipt">): string {
  const receipt = randomUUID();
  appendFileSync(file, `${JSON.stringify({ ...done, receipt })}\n`);
  return receipt;
}

export function readJournal(file: string): Entry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Entry);
}
