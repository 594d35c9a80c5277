/** What a list is asked for, checked before the database is asked. */
import { InvalidOptionError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { filterable } from "../storage/filter-metadata.ts";
import { checkName, checkThreadId } from "../storage/names.ts";
import { type Cursor, decodeCursor, fingerprint } from "./cursor.ts";
import type { CheckpointRecord } from "./record.ts";
import { namespaceOf, namespacesOf, neededText } from "./row.ts";

/**
 * A total order: no two checkpoints are equal in it.
 *
 * | order | by | ties |
 * |---|---|---|
 * | `createdAt` | `timestamp` | version, id |
 * | `version` | `version`; a graph's checkpoints by the order in which they were written | timestamp, id |
 * | `id` | `id`, by code point | thread, namespace |
 */
export type RecordOrder =
  | "createdAt ASC"
  | "createdAt DESC"
  | "version ASC"
  | "version DESC"
  | "id ASC"
  | "id DESC";

/** Which checkpoints, and which page of them. All conditions must hold. */
export interface ListRecordsOptions {
  /** Only this thread's. Default: all threads'. */
  readonly threadId?: string | undefined;
  /** Only this execution's. Default: all. */
  readonly executionId?: string | undefined;
  /** Only this namespace, `""` for the root's. Default: all. */
  readonly namespace?: string | undefined;
  /** What the metadata must contain: `{ source: "loop" }`. */
  readonly filter?: Readonly<Record<string, unknown>> | undefined;
  /** How many at most, 1 to 10,000. Default 100. */
  readonly limit?: number | undefined;
  /** How many to skip; they are read to be skipped. Use `cursor` to go far. */
  readonly offset?: number | undefined;
  /** Default `"createdAt DESC"`. */
  readonly orderBy?: RecordOrder | undefined;
  /** `nextCursor` of the page before, of the same query. */
  readonly cursor?: string | undefined;
  /** Whether to count what there is in all, which reads it. Default true; a later page repeats the count of the first. */
  readonly withTotal?: boolean | undefined;
}

/** A page of checkpoints. */
export interface RecordPage<State = unknown> {
  /** In the order asked for; empty past the end. */
  readonly checkpoints: CheckpointRecord<State>[];
  /** How many there are in all, when the first page was read. Undefined with `withTotal: false`. */
  readonly total: number | undefined;
  /** For the next page; undefined on the last. */
  readonly nextCursor: string | undefined;
}

const OPTIONS = [
  "threadId",
  "executionId",
  "namespace",
  "filter",
  "limit",
  "offset",
  "orderBy",
  "cursor",
  "withTotal",
] as const satisfies readonly (keyof ListRecordsOptions)[];

export type OrderKey = "createdAt" | "version" | "id";

const ORDERS: Readonly<Record<RecordOrder, { key: OrderKey; descending: boolean }>> = {
  "createdAt ASC": { key: "createdAt", descending: false },
  "createdAt DESC": { key: "createdAt", descending: true },
  "version ASC": { key: "version", descending: false },
  "version DESC": { key: "version", descending: true },
  "id ASC": { key: "id", descending: false },
  "id DESC": { key: "id", descending: true },
};

/** A query in the terms of the tables. */
export interface RecordQuery {
  readonly threadId: string | undefined;
  readonly executionId: string | undefined;
  /** The two namespaces, records' and graphs', as their columns hold them. */
  readonly namespaces: readonly [string, string] | undefined;
  /** JSON text. */
  readonly filter: string | undefined;
  readonly order: { readonly key: OrderKey; readonly descending: boolean };
  readonly limit: number;
  readonly offset: number;
  readonly after: Cursor | undefined;
  /** Whether it has to be counted; a cursor brings the count of the first page. */
  readonly count: boolean;
  /** What a cursor of this query carries, so that no other takes it. */
  readonly fingerprint: string;
}

const MAX_LIMIT = 10_000;

export function resolveList(options: ListRecordsOptions): RecordQuery {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionError(
      `The options of a list must be an object, got ${describe(options)}.`,
    );
  }
  refuseUnknownKeys(options, OPTIONS, "listWithOptions");
  const { orderBy = "createdAt DESC", cursor, filter, withTotal = true } = options;
  if (typeof orderBy !== "string" || !Object.hasOwn(ORDERS, orderBy)) {
    throw new InvalidOptionError(
      `orderBy must be one of ${Object.keys(ORDERS).join(", ")}; got ${describe(orderBy)}.`,
    );
  }
  if (typeof withTotal !== "boolean") {
    throw new InvalidOptionError(`withTotal must be true or false, got ${describe(withTotal)}.`);
  }
  const scope = {
    threadId: options.threadId === undefined ? undefined : checkThreadId(options.threadId),
    executionId:
      options.executionId === undefined
        ? undefined
        : checkName("execution_id", neededText(options.executionId, "executionId")),
    namespaces:
      options.namespace === undefined
        ? undefined
        : namespacesOf(checkName("checkpoint_ns", namespaceOf(options.namespace))),
    filter: filterOf(filter),
  };
  const offset = wholeNumber(options.offset ?? 0, "offset", 0, Number.MAX_SAFE_INTEGER);
  if (cursor !== undefined && offset > 0) {
    throw new InvalidOptionError(
      "Pass a cursor or an offset, not both: the cursor says where to go on.",
    );
  }
  const order = ORDERS[orderBy];
  const own = fingerprint([
    scope.threadId,
    scope.executionId,
    scope.namespaces,
    scope.filter,
    orderBy,
  ]);
  const after = cursor === undefined ? undefined : decodeCursor(cursor, own, order.key);
  return {
    ...scope,
    order,
    offset,
    after,
    limit: wholeNumber(options.limit ?? 100, "limit", 1, MAX_LIMIT),
    count: withTotal && after?.total === undefined,
    fingerprint: own,
  };
}

function filterOf(filter: unknown): string | undefined {
  if (filter === undefined) return undefined;
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw new InvalidOptionError(`filter must be an object, got ${describe(filter)}.`);
  }
  // What JSON cannot say must not become a filter that everything passes.
  try {
    JSON.stringify(filter);
  } catch (error) {
    throw new InvalidOptionError("filter holds what JSON cannot say, such as a bigint.", {
      cause: error,
    });
  }
  return Object.keys(filter).length === 0 ? undefined : filterable(filter);
}

/** A whole number from `least` to `most`. */
function wholeNumber(value: unknown, what: string, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
    return value as number;
  }
  throw new InvalidOptionError(
    `${what} must be a whole number, ${least} or more${most === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${most}`}; got ${describe(value)}.`,
  );
}
