/** Puts or gets a large value in a process of its own, and says what it cost. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Cost {
  readonly ms: number;
  /** The most memory that the process had, less what it had with the value alone, in bytes. */
  readonly bytes: number;
  /** Of a get: whether the value was the one that was put. */
  readonly same?: boolean;
  /** Of the error that it ended with. */
  readonly code?: string;
  readonly message?: string;
}

const script = fileURLToPath(new URL("process.ts", import.meta.url));

export async function inAProcess(
  { connString, schema }: { connString: string; schema: string },
  what: "put" | "get",
  kind: string,
  size: number,
): Promise<Cost> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--expose-gc", "--import", "tsx", script],
    ...[connString, schema, what, kind, String(size)],
  ]);
  return JSON.parse(stdout) as Cost;
}
