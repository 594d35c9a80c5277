/** The record face: saving, finding and listing checkpoints as records. */
import {
  CheckpointNotFoundError,
  DuplicateCheckpointError,
  InvalidConfigError,
  InvalidOptionError,
} from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import type { Executor } from "../postgres/database.ts";
import { checkFilter } from "../storage/filter-metadata.ts";
import { checkName, checkThreadId } from "../storage/names.ts";
import type { Reader, StoredCheckpoint } from "../storage/reader.ts";
import type { PutRecord } from "../storage/record-writer.ts";
import type { Storage } from "../storage/storage.ts";
import { encodeCursor, orderValues } from "./cursor.ts";
import { asDuplicate } from "./duplicates.ts";
import {
  type ListRecordsOptions,
  type RecordPage,
  type RecordQuery,
  resolveList,
} from "./list-options.ts";
import { areOwn } from "./own-records.ts";
import type { CheckpointRecord, NewRecord, SaveOptions } from "./record.ts";
import { fromRow, namespaceOf, namespacesOf, neededText, toRow, toSaved } from "./row.ts";
import { pageFacts, type RecordStatements, recordStatements } from "./statements.ts";

export interface Records {
  /** Saves a record; the answer says which version and time it was given. */
  save<State>(record: NewRecord<State>, options?: SaveOptions): Promise<CheckpointRecord<State>>;
  /** Saves all of the records, in their order, or none of them. */
  saveBatch<R extends NewRecord>(
    records: readonly R[],
    options?: SaveOptions,
  ): Promise<CheckpointRecord<R["state"]>[]>;
  /** The checkpoint with that id; throws {@link CheckpointNotFoundError} where there is none. */
  load<State>(id: string, options?: InThread): Promise<CheckpointRecord<State>>;
  list<State>(executionId: string): Promise<CheckpointRecord<State>[]>;
  listByThread<State>(threadId: string, options?: InNamespace): Promise<CheckpointRecord<State>[]>;
  /** The last checkpoint of a thread, by version; undefined where there is none. */
  getLatestByThread<State>(
    threadId: string,
    options?: InNamespace,
  ): Promise<CheckpointRecord<State> | undefined>;
  listWithOptions<State>(options?: ListRecordsOptions): Promise<RecordPage<State>>;
  /** The same on the connection of a transaction. */
  within(executor: Executor, afterCommit: (learn: () => void) => void): RecordsInTransaction;
}

export type RecordsInTransaction = Pick<
  Records,
  "save" | "saveBatch" | "load" | "getLatestByThread"
>;

/** In which thread an id is looked for. */
export interface InThread {
  /** Where several threads hold the id, as copies do: this one. Default: the newest of all. */
  readonly threadId?: string | undefined;
}

/** In which namespace of a thread. */
export interface InNamespace {
  /** Default: the root's, `""`, for the latest; all of them for a list. */
  readonly namespace?: string | undefined;
}

/** Records that one statement reads where all are asked for. */
const PAGE = 500;

/** `onPut` is told of each thread that a record was put into. */
export function createRecords(storage: Storage, onPut?: (threadId: string) => void): Records {
  const statements = recordStatements(storage.names, storage.cipher !== undefined);
  const finding = createFinding(storage, storage.database, statements, {
    refresh: storage.refresh,
    filters: storage.cipher?.plainMetadata,
  });

  const readBack = async (row: PutRecord): Promise<CheckpointRecord> =>
    finding.load(row.checkpointId, { threadId: row.threadId });

  return {
    async save(record, options = {}) {
      const row = toRow(record, checkedSave(options));
      try {
        const saved = await storage.putRecord(row);
        onPut?.(row.threadId);
        return toSaved(record, row, saved);
      } catch (error) {
        const duplicate = asDuplicate(error, storage.names, [row]);
        if (
          duplicate instanceof DuplicateCheckpointError &&
          (await areOwn(storage, statements, [row]))
        ) {
          return (await readBack(row)) as CheckpointRecord<never>;
        }
        throw duplicate;
      }
    },

    async saveBatch(records, options = {}) {
      const rows = toRows(records, options);
      if (rows.length === 0) return [];
      // Serialised first: the caller may change a state as soon as the call has returned.
      const prepared = await storage.prepareRecords(rows);
      for (const { threadId } of rows) await storage.adoption?.touch(threadId);
      let learned: (() => void)[] = [];
      try {
        const saved = await storage.database.transaction((tx) => {
          learned = [];
          return storage.putRecords(prepared, tx, (learn) => learned.push(learn));
        });
        for (const learn of learned) learn();
        for (const { threadId } of rows) onPut?.(threadId);
        return rows.map((row, i) => toSaved(at(records, i), row, at(saved, i)));
      } catch (error) {
        const duplicate = asDuplicate(error, storage.names, rows);
        if (
          duplicate instanceof DuplicateCheckpointError &&
          (await areOwn(storage, statements, rows))
        ) {
          return (await Promise.all(rows.map(readBack))) as CheckpointRecord<never>[];
        }
        throw duplicate;
      }
    },

    ...finding,

    within(executor, afterCommit) {
      const inside = createFinding(storage.readerIn(executor), executor, statements, {});
      const touch = (threadId: unknown) =>
        threadId === undefined
          ? undefined
          : storage.adoption?.touch(threadId, { executor, afterCommit });
      return {
        async load(id, options) {
          await touch(options?.threadId);
          return inside.load(id, options);
        },
        async getLatestByThread(threadId, options) {
          await touch(threadId);
          return inside.getLatestByThread(threadId, options);
        },
        async save(record, options = {}) {
          const row = toRow(record, checkedSave(options));
          // Nothing is waited for without need: the caller may change the state after the call.
          if (storage.adoption) await touch(row.threadId);
          const saved = await storage
            .putRecord(row, { executor, afterCommit })
            .catch((error: unknown) => {
              throw asDuplicate(error, storage.names, [row]);
            });
          return toSaved(record, row, saved);
        },
        async saveBatch(records, options = {}) {
          const rows = toRows(records, options);
          const prepared = await storage.prepareRecords(rows);
          for (const { threadId } of rows) await touch(threadId);
          const saved = await storage
            .putRecords(prepared, executor, afterCommit)
            .catch((error: unknown) => {
              throw asDuplicate(error, storage.names, rows);
            });
          return rows.map((row, i) => toSaved(at(records, i), row, at(saved, i)));
        },
      };
    },
  };
}

type Finding = Pick<
  Records,
  "load" | "list" | "listByThread" | "getLatestByThread" | "listWithOptions"
>;

interface FindingOptions {
  readonly refresh?: Storage["refresh"];
  /** The metadata keys that can be filtered by; all where it is undefined. */
  readonly filters?: readonly string[] | undefined;
}

/** What reads, on the pool or inside a transaction. */
function createFinding(
  reader: Pick<Reader, "find">,
  executor: Executor,
  statements: RecordStatements,
  { refresh, filters }: FindingOptions,
): Finding {
  const one = async (stored: StoredCheckpoint): Promise<CheckpointRecord> => {
    const { record, fixed } = await fromRow(stored);
    await refresh?.(stored, !fixed);
    return record;
  };

  const page = async (query: RecordQuery) => {
    const { statement, parameters } = statements.page(query);
    let facts: ReturnType<typeof pageFacts> | undefined;
    const stored = await reader.find(async () => {
      const rows = await executor.execute(statement, parameters);
      facts = pageFacts(rows);
      return rows.filter((row) => row[0] !== "more" && row[0] !== "total");
    });
    const found = await Promise.all(stored.map(fromRow));
    const last = stored.at(-1);
    return {
      records: found.map(({ record }) => record),
      total: facts?.total ?? query.after?.total,
      last: facts?.more && last ? orderValues(query.order.key, last) : undefined,
    };
  };

  const all = async (options: ListRecordsOptions): Promise<CheckpointRecord[]> => {
    const first = resolveList({ ...options, orderBy: "version ASC", withTotal: false });
    const records: CheckpointRecord[] = [];
    let query: RecordQuery = { ...first, limit: PAGE };
    for (;;) {
      const found = await page(query);
      records.push(...found.records);
      if (found.last === undefined) return records;
      query = { ...query, after: { values: found.last, total: undefined } };
    }
  };

  const finding: Finding = {
    async load(id: string, options: InThread = {}) {
      refuseUnknownKeys(options, ["threadId"], "load");
      const key = idOf(id);
      const { threadId } = options;
      const [found] = await reader.find(() =>
        threadId === undefined
          ? executor.execute(statements.byId, [key])
          : executor.execute(statements.byIdInThread, [key, checkThreadId(threadId)]),
      );
      if (found) return (await one(found)) as CheckpointRecord<never>;
      throw new CheckpointNotFoundError(
        `No checkpoint has the id ${JSON.stringify(id)}${threadId === undefined ? "" : ` in thread ${JSON.stringify(threadId)}`}: it was never saved, was deleted, or has expired.`,
      );
    },

    list: async (executionId: string) =>
      (await all({ executionId: neededText(executionId, "executionId") })) as never,

    async listByThread(threadId: string, options: InNamespace = {}) {
      refuseUnknownKeys(options, ["namespace"], "listByThread");
      return (await all({ ...options, threadId: checkThreadId(threadId) })) as never;
    },

    async getLatestByThread(threadId: string, options: InNamespace = {}) {
      refuseUnknownKeys(options, ["namespace"], "getLatestByThread");
      const namespaces = namespacesOf(checkName("checkpoint_ns", namespaceOf(options.namespace)));
      const [found] = await reader.find(() =>
        executor.execute(statements.latest, [checkThreadId(threadId), ...namespaces]),
      );
      return found && ((await one(found)) as CheckpointRecord<never>);
    },

    async listWithOptions(options: ListRecordsOptions = {}) {
      const query = resolveList(options);
      checkFilter(query.filter, filters);
      const { records, total, last } = await page(query);
      return {
        checkpoints: records as CheckpointRecord<never>[],
        total: options.withTotal === false ? undefined : total,
        nextCursor: last && encodeCursor(query.fingerprint, { values: last, total }),
      };
    },
  };
  return finding;
}

function toRows(records: readonly NewRecord[], options: SaveOptions): PutRecord[] {
  if (!Array.isArray(records)) {
    throw new InvalidConfigError(`saveBatch takes an array of records, got ${describe(records)}.`);
  }
  const checked = checkedSave(options);
  return records.map((record) => toRow(record, checked));
}

function checkedSave(options: SaveOptions): SaveOptions {
  refuseUnknownKeys(options, ["ifExists"], "save");
  const { ifExists = "replace" } = options;
  if (ifExists === "replace" || ifExists === "error") return { ifExists };
  throw new InvalidOptionError(`ifExists must be "replace" or "error", got ${describe(ifExists)}.`);
}

function idOf(id: unknown): string {
  return checkName("checkpoint_id", neededText(id, "id"));
}

function at<T>(list: readonly T[], i: number): T {
  return list[i] as T;
}
