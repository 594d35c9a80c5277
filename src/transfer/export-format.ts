/**
 * The format of exports: JSON Lines. A header, then thread by thread its row, its rows of the other
 * tables, and a line that counts them; at the end how many threads there were. Rows are what the
 * tables hold, chunks and all, so an export does not grow with the versions of a value, and a round trip is exact.
 * What is compressed in the table is text here; what is no UTF-8, as is all that is encrypted, stands in `base64`.
 *
 * ```text
 * {"format":"langgraph-postgres export","version":1}
 * {"thread":{"thread_id":"42","last_seq":"3",…}}
 * {"chunk":{"chunk_id":"…","payload":"[…]","children":null}}
 * {"value":{"checkpoint_ns":"","channel":"messages","version":"3.17",…}}
 * {"checkpoint":{"checkpoint_ns":"","checkpoint_id":"…",…}}
 * {"write":{…}}
 * {"end":{"chunks":1,"values":1,"checkpoints":1,"writes":1}}
 * {"done":{"threads":1}}
 * ```
 */
import { TransferError } from "../errors.ts";

export const FORMAT = "langgraph-postgres export";
/** Raised when a reader of the old format would read the new one wrongly. */
export const EXPORT_VERSION = 1;

/** What a cell may hold; `?` stands for null besides. */
export type Cell =
  | "text"
  | "text?"
  | "int"
  | "int?"
  | "time"
  | "time?"
  | "json"
  | "json?"
  | "ids?"
  | "uuid";

export type Part = "chunk" | "value" | "checkpoint" | "write";

export interface PartFormat {
  readonly table: "chunks" | "values" | "checkpoints" | "writes";
  readonly columns: Readonly<Record<string, Cell>>;
}

/** Tables of a thread by the word that their lines begin with, in the order in which they are written. */
export const PARTS: Readonly<Record<Part, PartFormat>> = {
  chunk: {
    table: "chunks",
    columns: { chunk_id: "uuid", payload: "text?", base64: "text?", children: "ids?" },
  },
  value: {
    table: "values",
    columns: {
      checkpoint_ns: "text",
      channel: "text",
      version: "text",
      type: "text",
      payload: "text?",
      base64: "text?",
      chunks: "ids?",
    },
  },
  checkpoint: {
    table: "checkpoints",
    columns: {
      checkpoint_ns: "text",
      checkpoint_id: "text",
      parent_checkpoint_id: "text?",
      seq: "int",
      execution_id: "text?",
      node_name: "text?",
      version: "int?",
      channel_versions: "json",
      checkpoint_data: "json?",
      base64: "text?",
      metadata: "json",
      created_at: "time",
      expires_at: "time?",
    },
  },
  write: {
    table: "writes",
    columns: {
      checkpoint_ns: "text",
      checkpoint_id: "text",
      task_id: "text",
      idx: "int",
      task_path: "text",
      channel: "text",
      type: "text",
      payload: "text?",
      base64: "text?",
      chunks: "ids?",
    },
  },
};

export const PART_NAMES: readonly Part[] = Object.keys(PARTS) as Part[];

export const THREAD_COLUMNS: Readonly<Record<string, Cell>> = {
  thread_id: "text",
  last_seq: "int",
  created_at: "time",
  updated_at: "time",
  expires_at: "time?",
};

/** A row by its columns; numbers and times (microseconds since the epoch) as text. */
export type ExportRow = Readonly<Record<string, string | readonly string[] | null>>;

/** How many rows of each table a thread has. */
export type Counts = Readonly<Record<PartFormat["table"], number>>;

export type ExportLine =
  | { readonly kind: "thread"; readonly row: ExportRow }
  | { readonly kind: Part; readonly row: ExportRow }
  | { readonly kind: "end"; readonly counts: Counts }
  | { readonly kind: "done"; readonly threads: number };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const CHECKS: Readonly<Record<string, (cell: unknown) => boolean>> = {
  text: (cell) => typeof cell === "string",
  int: (cell) => typeof cell === "string" && /^-?\d{1,19}$/.test(cell),
  time: (cell) => typeof cell === "string" && /^(-?\d{1,18}|-?infinity)$/.test(cell),
  uuid: (cell) => typeof cell === "string" && UUID.test(cell),
  ids: (cell) => Array.isArray(cell) && cell.every((id) => typeof id === "string" && UUID.test(id)),
  json: (cell) => typeof cell === "string" && parsed(cell) !== undefined,
};

/** Throws unless the line is an export's first, of a version that this package knows. */
export function checkHeader(text: string | undefined): void {
  const header = text === undefined ? undefined : parsed(text);
  if (!isObject(header) || header.format !== FORMAT || !Number.isInteger(header.version)) {
    throw new TransferError(
      "INVALID_EXPORT",
      "This is not an export of langgraph-postgres: its first line is not an export's header. Nothing was imported.",
    );
  }
  if (Number(header.version) > EXPORT_VERSION) {
    throw new TransferError(
      "EXPORT_TOO_NEW",
      `The export has format ${header.version}; this langgraph-postgres knows formats up to ${EXPORT_VERSION}. Update the package. Nothing was imported.`,
    );
  }
}

/** Takes a line apart; throws `INVALID_EXPORT` naming the line and what is wrong with it. */
export function parseLine(text: string, number: number): ExportLine {
  const line = parsed(text);
  const [kind, content] = isObject(line) ? (Object.entries(line)[0] ?? []) : [];
  if (isObject(content)) {
    if (kind === "thread") return { kind, row: row(content, THREAD_COLUMNS, kind, number) };
    if (PART_NAMES.some((part) => part === kind)) {
      const part = kind as Part;
      return { kind: part, row: row(content, PARTS[part].columns, part, number) };
    }
    if (kind === "end") return { kind, counts: content as unknown as Counts };
    if (kind === "done") return { kind, threads: Number(content.threads) };
  }
  throw damaged(number, "it is not a line of an export");
}

export function damaged(number: number, what: string, cause?: unknown): TransferError {
  return new TransferError(
    "INVALID_EXPORT",
    `The export is damaged at line ${number}: ${what}. Threads that ended before it were imported.`,
    { cause },
  );
}

function row(
  content: Record<string, unknown>,
  columns: Readonly<Record<string, Cell>>,
  kind: string,
  number: number,
): ExportRow {
  const cells: Record<string, ExportRow[string]> = {};
  for (const [name, type] of Object.entries(columns)) {
    const cell = content[name] ?? null;
    const fits = cell === null ? type.endsWith("?") : CHECKS[type.replace("?", "")]?.(cell);
    if (!fits) throw damaged(number, `${name} of the ${kind} is missing or not of its type`);
    cells[name] = cell as ExportRow[string] & {};
  }
  if (kind === "checkpoint" && (cells.checkpoint_data === null) === (cells.base64 === null)) {
    throw damaged(number, "checkpoint_data of the checkpoint is missing or there twice");
  }
  return cells;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
