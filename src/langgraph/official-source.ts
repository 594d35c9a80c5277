/** Reads the tables of `@langchain/langgraph-checkpoint-postgres`; nothing here writes. */
import type { Database, Executor, Row } from "../postgres/database.ts";
import type { Statement } from "../postgres/statement.ts";
import { type OfficialStatements, officialStatements } from "./official-statements.ts";
import { type OfficialTables, refuseOthers, tablesIn } from "./official-tables.ts";

/** How long a single statement may take that looks at a thread or a table whole; milliseconds. */
const LONG_DEADLINE = 600_000;
/** Checkpoints a page; with each come all the values that it names. */
const PAGE = 16;
const THREADS_A_PAGE = 500;

export interface OfficialKey {
  readonly namespace: string;
  readonly checkpointId: string;
}

/** Bytes and what they are: `json` as text, anything else as it is. */
export interface OfficialValue {
  readonly type: string;
  readonly payload: string | Uint8Array;
}

export interface OfficialWrite extends OfficialValue {
  readonly taskId: string;
  readonly idx: number;
  readonly channel: string;
}

export interface OfficialCheckpoint extends OfficialKey {
  readonly parentId: string | null;
  /** JSON text. */
  readonly checkpoint: string;
  /** JSON text. */
  readonly metadata: string;
  /** Of its own checkpoint only, in the order in which the official saver reads them. */
  readonly writes: OfficialWrite[];
}

/** Some checkpoints of a thread, the oldest first, and all values that they name. */
export interface OfficialPage {
  readonly checkpoints: OfficialCheckpoint[];
  value(namespace: string, channel: string, version: string | number): OfficialValue | undefined;
}

export interface OfficialThread {
  /** In the order in which they were put, by their ids, which begin with the time. */
  readonly keys: readonly OfficialKey[];
  /** Pending writes of those. */
  readonly writes: number;
  /** Bytes of its rows, without indexes and page overhead. */
  readonly bytes: number;
}

/** By these a thread that was written to is told from what it was before. */
export interface OfficialSummary {
  readonly checkpoints: number;
  /** Pending writes of those. */
  readonly writes: number;
  /** The greatest checkpoint id; empty if there is none. */
  readonly newest: string;
}

export interface OfficialSource {
  /** Where its tables are. */
  readonly database: Database;
  readonly tables: OfficialTables;
  /** The same as a transaction of that database sees it, on its connection. */
  within(executor: Executor): OfficialSource;
  /** How many threads there are. */
  count(): Promise<number>;
  /** Their ids; threads that come or go meanwhile shift nothing. */
  threads(): AsyncGenerator<string>;
  thread(threadId: string): Promise<OfficialThread>;
  summary(threadId: string): Promise<OfficialSummary>;
  pages(threadId: string): AsyncGenerator<OfficialPage>;
}

/**
 * @throws {TransferError} `INVALID_SOURCE` unless the schema holds the official package's tables.
 */
export async function openOfficial(database: Database, schema: string): Promise<OfficialSource> {
  await refuseOthers(database, schema);
  const tables = tablesIn(schema);
  const source = { database, tables };
  return reading(source, officialStatements(tables), (text, parameters) =>
    database.execute(text, parameters, { deadline: LONG_DEADLINE }),
  );
}

function reading(
  source: Pick<OfficialSource, "database" | "tables">,
  statements: OfficialStatements,
  execute: Executor["execute"],
): OfficialSource {
  const run = (text: Statement, parameters: readonly (string | number)[] = []): Promise<Row[]> =>
    execute(text, parameters);
  return {
    ...source,
    within: (executor) =>
      reading(source, statements, (text, parameters) => executor.execute(text, parameters)),
    async count() {
      return Number((await run(statements.count))[0]?.[0]);
    },
    async *threads() {
      for (let last: string | undefined; ; ) {
        const rows =
          last === undefined
            ? await run(statements.firstThreads, [THREADS_A_PAGE])
            : await run(statements.threadsAfter, [THREADS_A_PAGE, last]);
        const ids = rows.map((row) => row[0] ?? "");
        yield* ids;
        if (ids.length < THREADS_A_PAGE) return;
        last = ids.at(-1) ?? "";
      }
    },
    async thread(threadId) {
      const rows = await run(statements.thread, [threadId]);
      const [totals] = rows.filter((row) => row[0] === "totals");
      return {
        keys: rows
          .filter((row) => row[0] === "key")
          .map((row) => ({ namespace: row[1] ?? "", checkpointId: row[2] ?? "" })),
        writes: Number(totals?.[1]),
        bytes: Number(totals?.[2]),
      };
    },
    async summary(threadId) {
      const [row] = await run(statements.summary, [threadId]);
      return summaryOf(row, 0);
    },
    async *pages(threadId) {
      let last: OfficialKey = { namespace: "", checkpointId: "" };
      for (;;) {
        const parameters = [threadId, last.checkpointId, last.namespace, PAGE];
        const page = pageOf(await run(statements.page, parameters));
        if (page.checkpoints.length > 0) yield page;
        if (page.checkpoints.length < PAGE) return;
        last = page.checkpoints.at(-1) ?? last;
      }
    },
  };
}

/** The three columns from `at` on, as {@link summarySql} gives them. */
export function summaryOf(row: Row | undefined, at: number): OfficialSummary {
  return {
    checkpoints: Number(row?.[at] ?? 0),
    writes: Number(row?.[at + 1] ?? 0),
    newest: row?.[at + 2] ?? "",
  };
}

function pageOf(rows: readonly Row[]): OfficialPage {
  const byPlace = new Map<number, OfficialCheckpoint>();
  const values = new Map<string, OfficialValue>();
  for (const row of rows) {
    if (row[0] === "checkpoint") {
      byPlace.set(Number(row[1]), {
        namespace: row[2] ?? "",
        checkpointId: row[3] ?? "",
        parentId: row[4] ?? null,
        checkpoint: row[5] ?? "{}",
        metadata: row[6] ?? "{}",
        writes: [],
      });
    } else if (row[0] === "value") {
      values.set(keyOf(row[2] ?? "", row[3] ?? "", row[4] ?? ""), officialValue(row));
    }
  }
  for (const row of rows) {
    if (row[0] !== "write") continue;
    byPlace.get(Number(row[1]))?.writes.push({
      taskId: row[2] ?? "",
      channel: row[3] ?? "",
      idx: Number(row[4]),
      ...officialValue(row),
    });
  }
  const places = [...byPlace.keys()].sort((a, b) => a - b);
  return {
    checkpoints: places.map((place) => byPlace.get(place) as OfficialCheckpoint),
    value: (namespace, channel, version) => values.get(keyOf(namespace, channel, String(version))),
  };
}

function officialValue(row: Row): OfficialValue {
  const type = row[6] ?? "json";
  return { type, payload: row[7] ?? Buffer.from(row[8] ?? "", "base64") };
}

function keyOf(namespace: string, channel: string, version: string): string {
  return JSON.stringify([namespace, channel, version]);
}
