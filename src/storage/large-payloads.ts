/**
 * Opaque values too large for one row of an answer. They travel as base64 text, in a message that the driver collects
 * in a buffer that it doubles, then makes a string of. So the reader's statements bring the beginning of such a
 * value, and what follows is fetched slice by slice.
 */
import type { Executor, Param, Row } from "../postgres/database.ts";
import type { Statement } from "../postgres/statement.ts";
import { changedTooOften, MAX_ATTEMPTS } from "./attempts.ts";

/** The payloads of rows that brought but the beginning of theirs. */
const payloads = new WeakMap<Row, Buffer>();

/** Runs statements as `executor` does, and fetches what their rows of large values lack: see {@link completed}. */
export function withLargePayloads(executor: Executor, slice: Statement): Executor {
  return {
    execute: (statement, params) =>
      completed(() => executor.execute(statement, params), executor, slice),
  };
}

/**
 * The rows of an answer, what those of large values lack fetched: see {@link payloadOf}. It is asked for anew where its
 * thread was pruned or deleted before all slices were there.
 */
export async function completed(
  ask: () => Promise<Row[]>,
  executor: Executor,
  slice: Statement,
): Promise<Row[]> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const rows = await ask();
    if (await areComplete(rows, executor, slice)) return rows;
  }
  throw changedTooOften(undefined, "read");
}

/** The payload of a row of a value, if it has but the beginning of it. */
export function payloadOf(row: Row): Buffer | undefined {
  if (!isBeginning(row)) return undefined;
  const payload = payloads.get(row);
  if (payload === undefined) throw new Error("a large value was read without its slices");
  return payload;
}

function isBeginning([kind, , , , length]: Row): boolean {
  return kind === "value" && length != null;
}

/** Fetches the slices; false if a thread's generation moved meanwhile, because then they may be gone. */
async function areComplete(
  rows: readonly Row[],
  executor: Executor,
  slice: Statement,
): Promise<boolean> {
  for (const row of rows) {
    if (!isBeginning(row)) continue;
    const [, place, channel, version, length] = row;
    const checkpoint = rows.find((one) => one[0] === "checkpoint" && one[1] === place);
    const [, , threadId, namespace] = checkpoint ?? [];
    const thread = rows.find((one) => one[0] === "thread" && one[2] === threadId);
    const key = [threadId, namespace, channel, version, thread?.[3], length] as Param[];
    const payload = Buffer.allocUnsafeSlow(Number(length));
    let at = payload.write(row[10] ?? "", "base64");
    while (at < payload.length) {
      const [next] = await executor.execute(slice, [...key, at + 1]);
      if (next === undefined) return false;
      at += payload.write(next[0] ?? "", at, "base64");
    }
    payloads.set(row, payload);
  }
  return true;
}
