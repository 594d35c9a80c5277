/** What a removal freed, counted by the statements that did it. */
import type { Row } from "../postgres/database.ts";

/** Rows that are gone, and what they weighed without indexes and page overhead. */
export interface Freed {
  /** Checkpoints and records. */
  readonly checkpoints: number;
  /** Pending writes. */
  readonly writes: number;
  /** Versions of channels. */
  readonly values: number;
  /** Pieces of values. */
  readonly chunks: number;
  /** Bytes of those rows as they were stored. The disk gets them back from VACUUM, not at once. */
  readonly bytes: number;
}

export const NOTHING: Freed = { checkpoints: 0, writes: 0, values: 0, chunks: 0, bytes: 0 };

export function sum(a: Freed, b: Freed): Freed {
  return {
    checkpoints: a.checkpoints + b.checkpoints,
    writes: a.writes + b.writes,
    values: a.values + b.values,
    chunks: a.chunks + b.chunks,
    bytes: a.bytes + b.bytes,
  };
}

/** From rows of kind, count and bytes. */
export function freedOf(rows: readonly Row[]): Freed {
  const counts = new Map(rows.map((row) => [row[0], Number(row[1])]));
  return {
    checkpoints: counts.get("checkpoints") ?? 0,
    writes: counts.get("writes") ?? 0,
    values: counts.get("values") ?? 0,
    chunks: counts.get("chunks") ?? 0,
    bytes: rows.reduce((bytes, row) => bytes + Number(row[2]), 0),
  };
}

/** The count of one kind of row. */
export function countOf(rows: readonly Row[], kind: string): number {
  return Number(rows.find((row) => row[0] === kind)?.[1] ?? 0);
}
