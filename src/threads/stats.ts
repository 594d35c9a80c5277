/** What a store holds, what it weighs, and what its operator might do about it. */
import type { Row } from "../postgres/database.ts";
import { LONG_DEADLINE } from "../retention/round.ts";
import type { Storage } from "../storage/storage.ts";
import { type Deduplication, deduplication } from "./deduplication.ts";
import { COUNTED, type StatsStatements, statsStatements } from "./stats-statements.ts";
import { type Suggestion, suggestions } from "./suggestions.ts";

/** All sizes are bytes on disk. */
export interface StoreStats {
  /** Tables with their indexes, together. */
  readonly bytes: number;
  /** Each table that holds state, or knows where it came from. */
  readonly tables: readonly TableStats[];
  /** How much smaller it is than values stored whole, from a few threads. */
  readonly deduplication: Deduplication;
  /** Up to ten of the threads that were put into most often, largest first, by their rows' bytes. */
  readonly largestThreads: readonly {
    /** The thread. */
    readonly threadId: string;
    /** Without indexes and page overhead. */
    readonly bytes: number;
  }[];
  /** What has expired, so that it is invisible, and is still there. */
  readonly expired: {
    /** Whole threads. */
    readonly threads: number;
    /** Checkpoints whose own time is over. */
    readonly checkpoints: number;
  };
  /** What might be done about what was found. */
  readonly suggestions: readonly Suggestion[];
}

/** A table of the store. */
export interface TableStats {
  /** Which of them it is. */
  readonly table: (typeof COUNTED)[number];
  /** Rows, expired ones included. */
  readonly rows: number;
  /** False where counting would take long, and `rows` is what the server last estimated. */
  readonly exact: boolean;
  /** All of it. */
  readonly bytes: number;
  /** Rows, TOAST included. */
  readonly tableBytes: number;
  /** All its indexes. */
  readonly indexBytes: number;
  /** Rows that are gone and wait for VACUUM, as the server estimates. */
  readonly deadRows: number;
  /** The last VACUUM, by hand or automatic; null for none since the statistics were reset. */
  readonly vacuumedAt: Date | null;
  /** The last ANALYZE, likewise. */
  readonly analyzedAt: Date | null;
  /** Its indexes. */
  readonly indexes: readonly IndexStats[];
}

/** An index of the store. */
export interface IndexStats {
  /** Its name, without the schema. */
  readonly name: string;
  /** What it takes on disk. */
  readonly bytes: number;
  /** How often it was used since the server's statistics were reset. */
  readonly scans: number;
  /** False for one whose building was cut off. */
  readonly valid: boolean;
}

/** Tables up to this size are counted; about a tenth of a second. */
const COUNT_UP_TO = 64 * 1024 * 1024;
const LARGEST = 10;
/** The largest are looked for among so many of those that were put into most often. */
const CANDIDATES = 100;

/**
 * Sizes and counts of the store's tables. Reads the server's catalog and statistics, counts small
 * tables, and looks closely at a few dozen threads; the time hardly grows with the store.
 *
 * @example
 * ```ts
 * const { bytes, suggestions } = await stats(storage);
 * for (const { message, sql } of suggestions) print(message, sql);
 * ```
 */
export async function stats(
  storage: Pick<Storage, "database" | "names" | "settings">,
): Promise<StoreStats> {
  const { database, names, settings } = storage;
  const statements = statsStatements(names);
  const run = (statement: StatsStatements["tables"], parameters: readonly number[] = []) =>
    database.execute(statement, parameters, { deadline: LONG_DEADLINE });
  const indexes = await run(statements.indexes);
  const tables: TableStats[] = [];
  for (const row of await run(statements.tables)) {
    const key = row[0] as TableStats["table"];
    const exact = row[1] == null || Number(row[3]) <= COUNT_UP_TO;
    const rows = exact ? (await run(statements.count[key]))[0]?.[0] : row[1];
    tables.push({ ...tableStats(row, indexes), rows: Number(rows), exact });
  }
  tables.sort((a, b) => COUNTED.indexOf(a.table) - COUNTED.indexOf(b.table));
  const [expired] = await run(statements.expired);
  const largest = await run(statements.largest, [CANDIDATES]);
  const found: Omit<StoreStats, "suggestions"> = {
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    tables,
    deduplication: await deduplication(storage, tables),
    largestThreads: largest
      .slice(0, LARGEST)
      .map((row) => ({ threadId: row[0] ?? "", bytes: Number(row[1]) })),
    expired: { threads: Number(expired?.[0]), checkpoints: Number(expired?.[1]) },
  };
  return { ...found, suggestions: suggestions(found, names, settings) };
}

function tableStats(row: Row, indexes: readonly Row[]): Omit<TableStats, "rows" | "exact"> {
  return {
    table: row[0] as TableStats["table"],
    bytes: Number(row[2]),
    tableBytes: Number(row[3]),
    indexBytes: Number(row[4]),
    deadRows: Number(row[5]),
    vacuumedAt: row[6] == null ? null : new Date(Number(row[6])),
    analyzedAt: row[7] == null ? null : new Date(Number(row[7])),
    indexes: indexes
      .filter((index) => index[0] === row[0])
      .map((index) => ({
        name: index[1] ?? "",
        bytes: Number(index[2]),
        scans: Number(index[3]),
        valid: index[4] === "true",
      })),
  };
}
