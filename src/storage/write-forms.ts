/**
 * The two forms in which statements take what they write. Columns and statement text are derived from the same tables
 * (`columns.ts`), so a column cannot be in one and not in the other.
 */
import { COLUMNS, COLUMNS_OF_ONE, row, unnest } from "./columns.ts";

type Columns = Parameters<typeof unnest>[0];

export interface WriteForm {
  readonly isOne: boolean;
  readonly columns: Readonly<
    Record<"want" | "chunks" | "values" | "checkpoints" | "writes", Columns>
  >;
  /** What stands in front of all other CTEs. */
  readonly ctes: readonly string[];
  /** An item of FROM: the threads that are wanted, as `w`. */
  readonly want: string;
  /** The number of a thread of `w`. */
  readonly n: string;
  /** Joined to the locked threads `t`: the rows that belong to each, as `i`. */
  rows(columns: Columns, first: number): string;
  /** The same for checkpoints, of which one thread has one. */
  row(columns: Columns, first: number): string;
}

const ofThread = (columns: Columns, first: number): string =>
  `JOIN ${unnest(columns, "i", first)} ON i.n = t.n`;

/**
 * Any number of threads and checkpoints: one array a column, and `n` in every row says which thread of `want` it
 * belongs to.
 */
export const MANY: WriteForm = {
  isOne: false,
  columns: COLUMNS,
  ctes: [
    // The limit leaves nothing out. Where the server plans for any number of threads, it takes a limit that it does not
    // know for one row, and so looks the rows of threads up by their keys: a plan that reads whole tables may be kept
    // from the time when they were empty.
    `want AS (SELECT * FROM ${unnest(COLUMNS.want, "w", 1)} LIMIT cardinality($1::int4[]))`,
  ],
  want: "want w",
  n: "w.n",
  rows: ofThread,
  row: ofThread,
};

/** One thread and one checkpoint, whose columns are plain parameters. */
export const ONE: WriteForm = {
  isOne: true,
  columns: COLUMNS_OF_ONE,
  ctes: [],
  want: row(COLUMNS_OF_ONE.want, "w", 1),
  n: "0",
  rows: (columns, first) => `CROSS JOIN ${unnest(columns, "i", first)}`,
  row: (columns, first) => `CROSS JOIN ${row(columns, "i", first)}`,
};
