/** How much smaller the store is than one that stores every value whole: estimated from a few threads. */
import type { Row } from "../postgres/database.ts";
import { LONG_DEADLINE, type Place } from "../retention/round.ts";
import { chunkIds } from "../storage/chunk-ids.ts";
import type { TableStats } from "./stats.ts";
import { statsStatements } from "./stats-statements.ts";

/**
 * Bytes of values and pending writes in the threads that were looked at, as they are sent: chunks of some kilobytes
 * compressed, what else the server compresses not.
 */
export interface Deduplication {
  /** How many threads were looked at. */
  readonly sampledThreads: number;
  /** What every version of every value would take, each stored whole. */
  readonly logicalBytes: number;
  /** What they take with equal pieces stored once. */
  readonly storedBytes: number;
  /** The same for the whole store, as bytes on disk that are not needed: an estimate. */
  readonly savedBytes: number;
}

const SAMPLE = 20;
/** Fewer threads are not sampled by pages, of which there may be one. */
const FEW = 1000;

export async function deduplication(
  { database, names }: Place,
  tables: readonly TableStats[],
): Promise<Deduplication> {
  const statements = statsStatements(names);
  const threads = tables.find(({ table }) => table === "threads")?.rows ?? 0;
  const percent = threads <= FEW ? 100 : Math.min(100, (100 * FEW) / threads);
  const sample = await database.execute(statements.sample, [SAMPLE, percent]);
  let logicalBytes = 0;
  let storedBytes = 0;
  for (const [threadId] of sample) {
    const rows = await database.execute(statements.trees, [threadId ?? ""], {
      deadline: LONG_DEADLINE,
    });
    storedBytes += rows.reduce((sum, row) => sum + Number(row[1] ?? 0), 0);
    logicalBytes += logicalSize(rows);
  }
  const onDisk = tables
    .filter(({ table }) => table === "values" || table === "chunks" || table === "writes")
    .reduce((sum, { tableBytes }) => sum + tableBytes, 0);
  const ratio = storedBytes > 0 ? logicalBytes / storedBytes : 1;
  return {
    sampledThreads: sample.length,
    logicalBytes,
    storedBytes,
    savedBytes: Math.max(0, Math.round(onDisk * (ratio - 1))),
  };
}

/** The sum over all values of what each would be if its tree were written out. */
function logicalSize(rows: readonly Row[]): number {
  const chunks = new Map(rows.flatMap((row) => (row[0] == null ? [] : [[row[0], row] as const])));
  const sizes = new Map<string, number>();
  const own = (row: Row): number => Number(row[1] ?? 0) + below(row[2]);
  const below = (literal: string | null | undefined): number =>
    (chunkIds(literal) ?? []).reduce((sum, id) => sum + sizeOf(id), 0);
  // A tree is as deep as the logarithm of its size, so this does not recurse far.
  const sizeOf = (id: string): number => {
    const known = sizes.get(id);
    if (known !== undefined) return known;
    const row = chunks.get(id);
    const size = row === undefined ? 0 : own(row);
    sizes.set(id, size);
    return size;
  };
  return rows.filter((row) => row[0] == null).reduce((sum, row) => sum + own(row), 0);
}
