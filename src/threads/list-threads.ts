/** Looking at threads: one, or page by page with the newest activity first. */
import { createHash } from "node:crypto";
import { InvalidConfigError, InvalidOptionError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import type { Param, Row } from "../postgres/database.ts";
import { countOption } from "../retention/prune-options.ts";
import type { Place } from "../retention/round.ts";
import { checkFilter, filterable } from "../storage/filter-metadata.ts";
import { checkThreadId, decodeName } from "../storage/names.ts";
import { threadStatements } from "./thread-statements.ts";

/** A thread and what it holds. */
export interface ThreadInfo {
  /** The `thread_id` of its configs. */
  readonly threadId: string;
  /** When it was first written to. */
  readonly createdAt: Date;
  /** When a checkpoint was last put into it. */
  readonly updatedAt: Date;
  /** When it becomes invisible; null for never. */
  readonly expiresAt: Date | null;
  /** Checkpoints that can be seen, in all namespaces. */
  readonly checkpoints: number;
  /** How many namespaces they are in: the root's, those of subgraphs and of records. */
  readonly namespaces: number;
  /** Pending writes. */
  readonly writes: number;
  /** Bytes of its rows as they are stored, without indexes and page overhead. */
  readonly bytes: number;
  /** The newest checkpoint of any namespace. */
  readonly newest: {
    /** `""` for the root graph's. */
    readonly namespace: string;
    /** Its id. */
    readonly checkpointId: string;
    /** Its metadata as filters see it: what JSON can say of it. */
    readonly metadata: Readonly<Record<string, unknown>>;
  };
}

/** Which threads, and which page of them. */
export interface ListThreadsOptions {
  /** Only threads that were put into after this time. */
  readonly updatedAfter?: Date;
  /** What the metadata of a thread's newest checkpoint must contain. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Threads a page, 1 to 1,000. Default 50. */
  readonly limit?: number;
  /** `nextCursor` of the page before. It belongs to the same `updatedAfter` and `metadata`. */
  readonly cursor?: string;
}

/** A page of threads. */
export interface ThreadPage {
  /** The one that was put into last first. */
  readonly threads: readonly ThreadInfo[];
  /** Where the next page begins; undefined on the last. */
  readonly nextCursor: string | undefined;
}

const OPTIONS = [
  "updatedAfter",
  "metadata",
  "limit",
  "cursor",
] as const satisfies readonly (keyof ListThreadsOptions)[];
const MOST = 1000;

/**
 * A page of threads, the one that was put into last first. Costs what reading the threads of the page
 * costs, however many there are. A thread that is put into between two pages moves to the front:
 * it may be met twice, or not at all.
 *
 * @throws {InvalidOptionError} for unknown or impossible options, and for a cursor of another query.
 *
 * @example
 * ```ts
 * const { threads, nextCursor } = await listThreads(storage, { metadata: { user: "u1" }, limit: 20 });
 * ```
 */
export async function listThreads(
  { database, names, cipher }: Place,
  options: ListThreadsOptions = {},
): Promise<ThreadPage> {
  refuseUnknownKeys(options, OPTIONS, "listThreads");
  const { updatedAfter, metadata, cursor } = options;
  const limit = countOption(options.limit ?? 50, "limit");
  if (limit > MOST) throw new InvalidOptionError(`limit must be ${MOST} or less, got ${limit}.`);
  const after = updatedAfter === undefined ? null : microsOf(updatedAfter);
  const filter = metadata === undefined ? null : filterOf(metadata);
  checkFilter(filter ?? undefined, cipher?.plainMetadata);
  const query = digest(after, filter);
  const last = cursor === undefined ? undefined : readCursor(cursor, query);

  const parameters: Param[] = [limit + 1];
  if (after !== null) parameters.push(after);
  if (filter !== null) parameters.push(filter);
  if (last) parameters.push(...last);
  const shape = {
    updatedAfter: after !== null,
    metadata: filter !== null,
    after: last !== undefined,
  };
  const found = await database.execute(threadStatements(names).page(shape), parameters);
  const rows = found.slice(0, limit);
  const end = found.length > limit ? rows.at(-1) : undefined;
  return {
    threads: rows.map(threadInfo),
    nextCursor: end && writeCursor(query, end[2] ?? "", end[0] ?? ""),
  };
}

/** The thread; undefined if there is none with a checkpoint that can be seen. */
export async function getThread(
  { database, names }: Place,
  threadId: string,
): Promise<ThreadInfo | undefined> {
  const id = checkThreadId(threadId);
  const [row] = await database.execute(threadStatements(names).one, [id]);
  return row && threadInfo(row);
}

function threadInfo(row: Row): ThreadInfo {
  return {
    threadId: row[0] ?? "",
    createdAt: dateOf(row[1]),
    updatedAt: dateOf(row[2]),
    expiresAt: row[3] == null ? null : dateOf(row[3]),
    checkpoints: Number(row[4]),
    namespaces: Number(row[5]),
    writes: Number(row[6]),
    bytes: Number(row[7]),
    newest: {
      namespace: decodeName(row[8] ?? ""),
      checkpointId: decodeName(row[9] ?? ""),
      metadata: decoded(JSON.parse(row[10] ?? "{}")) as Record<string, unknown>,
    },
  };
}

/** The metadata's texts as they were before the column's copy was made of them. */
function decoded(value: unknown): unknown {
  if (typeof value === "string") return decodeName(value);
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== "object" || value === null) return value;
  // fromEntries defines own properties, so that a key named __proto__ stays one.
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [decodeName(key), decoded(one)]),
  );
}

function dateOf(micros: string | null | undefined): Date {
  return new Date(Number(micros) / 1000);
}

function microsOf(time: unknown): number {
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.getTime() * 1000;
  throw new InvalidOptionError(`updatedAfter must be a valid Date, got ${describe(time)}.`);
}

function filterOf(metadata: unknown): string {
  if (typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)) {
    return filterable(metadata);
  }
  throw new InvalidOptionError(`metadata must be an object, got ${describe(metadata)}.`);
}

/** What a cursor belongs to: another query would go on somewhere else with it. */
function digest(after: number | null, filter: string | null): string {
  return createHash("sha256")
    .update(JSON.stringify([after, filter]))
    .digest("hex")
    .slice(0, 16);
}

function writeCursor(query: string, micros: string, threadId: string): string {
  return Buffer.from(JSON.stringify([query, micros, threadId])).toString("base64url");
}

function readCursor(cursor: unknown, query: string): [micros: string, threadId: string] {
  const parts = typeof cursor === "string" ? parsed(cursor) : undefined;
  if (!Array.isArray(parts) || parts.length !== 3 || !/^-?\d+$/.test(String(parts[1]))) {
    throw new InvalidOptionError("cursor is not one that listThreads gave.");
  }
  if (parts[0] !== query) {
    throw new InvalidOptionError(
      "cursor belongs to another query: pass the same updatedAfter and metadata as for the page before.",
    );
  }
  return [String(parts[1]), checkedId(parts[2])];
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function checkedId(threadId: unknown): string {
  try {
    return checkThreadId(threadId);
  } catch (cause) {
    if (!(cause instanceof InvalidConfigError)) throw cause;
    throw new InvalidOptionError("cursor is not one that listThreads gave.", { cause });
  }
}
