/** Records as the engine stores them, and what graphs stored as records. */
import { randomUUID } from "node:crypto";
import { InvalidConfigError } from "../errors.ts";
import { describe, refuseUnknownKeys } from "../options.ts";
import { filterable } from "../storage/filter-metadata.ts";
import { checkThreadId, RECORDS } from "../storage/names.ts";
import type { StoredCheckpoint } from "../storage/reader.ts";
import type { PutRecord } from "../storage/record-writer.ts";
import { readData } from "../storage/stored-data.ts";
import type { Saved } from "../storage/write-operation.ts";
import { serialize } from "../values/codec.ts";
import { momentMs } from "./moments.ts";
import { type GraphData, nodesThatRan } from "./nodes.ts";
import type { CheckpointRecord, NewRecord, SaveOptions } from "./record.ts";
import { joinState, type StateShape, splitState } from "./state.ts";

/** What `checkpoint_data` holds of a record; a graph's checkpoint has `checkpoint` instead of `record`. */
interface RecordData {
  readonly record: {
    readonly state: StateShape;
    /** No two saves share it: it tells a save that is repeated from another one. */
    readonly save: string;
    /** Set where the record itself says when it expires: reading it does not put that off. */
    readonly fixed?: true;
  };
  readonly metadata: Readonly<Record<string, unknown>>;
}

const KEYS = [
  "id",
  "threadId",
  "namespace",
  "parentId",
  "executionId",
  "nodeName",
  "state",
  "metadata",
  "timestamp",
  "version",
  "expiresAt",
] as const satisfies readonly (keyof NewRecord)[];

/** Half of what a double counts exactly: as much again is left for the versions that follow. */
const MAX_VERSION = 2 ** 52;

/** The record as a row, checked before the database is asked. */
export function toRow(record: NewRecord, { ifExists = "replace" }: SaveOptions): PutRecord {
  if (typeof record !== "object" || record === null) {
    throw new InvalidConfigError(`A record must be an object, got ${describe(record)}.`);
  }
  refuseUnknownKeys(record, KEYS, "A record");
  const { metadata = {} } = record;
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    throw new InvalidConfigError(`metadata must be an object, got ${describe(metadata)}.`);
  }
  const id = neededText(record.id, "id");
  const executionId = text(record.executionId ?? metadata.execution_id, "executionId");
  const expires = record.expiresAt === undefined ? metadata.expires_at : record.expiresAt;
  const expiresAt =
    expires == null ? (expires as null | undefined) : momentMs(expires, "expiresAt");
  const { shape, values } = splitState(record.state);
  const data: RecordData = {
    record: {
      state: shape,
      save: randomUUID(),
      ...(expires === undefined ? {} : { fixed: true as const }),
    },
    metadata,
  };
  return {
    threadId: threadIdOf(record, metadata, executionId),
    namespace: recordNamespace(namespaceOf(record.namespace)),
    checkpointId: id,
    parentId: text(record.parentId, "parentId"),
    executionId,
    nodeName: text(record.nodeName, "nodeName"),
    version: record.version === undefined ? null : versionOf(record.version),
    createdAt: record.timestamp === undefined ? null : momentMs(record.timestamp, "timestamp"),
    expiresAt,
    data: serialize(data, `record ${JSON.stringify(id)}`),
    metadata: filterable(metadata),
    values,
    ifExists,
  };
}

/** The record as it was saved, with what the database gave it. */
export function toSaved<State>(
  record: NewRecord<State>,
  row: PutRecord,
  { version, createdAt, expiresAt }: Saved,
): CheckpointRecord<State> {
  return {
    id: row.checkpointId,
    threadId: row.threadId,
    namespace: record.namespace ?? "",
    ...(row.parentId === null ? {} : { parentId: row.parentId }),
    ...(row.executionId === null ? {} : { executionId: row.executionId }),
    ...(row.nodeName === null ? {} : { nodeName: row.nodeName }),
    state: record.state,
    metadata: record.metadata ?? {},
    timestamp: new Date(createdAt),
    version,
    ...(expiresAt === null ? {} : { expiresAt: new Date(expiresAt) }),
  };
}

/** A checkpoint of any writer as a record, and whether it says itself when it expires. */
export async function fromRow(
  stored: StoredCheckpoint,
): Promise<{ record: CheckpointRecord; fixed: boolean }> {
  const { threadId, namespace, checkpointId, parentId, details, seq } = stored;
  const data = (await readData(stored)) as RecordData | GraphData;
  const isRecord = "record" in data;
  const nodeName = isRecord ? details?.nodeName : await nodesThatRan(data, stored);
  const executionId = details?.executionId;
  const expiresAt = details?.expiresAt ?? null;
  const record: CheckpointRecord = {
    id: checkpointId,
    threadId,
    namespace: isRecord ? namespace.slice(`${RECORDS}/`.length) : namespace,
    ...(parentId === null ? {} : { parentId }),
    ...(executionId == null ? {} : { executionId }),
    ...(nodeName == null ? {} : { nodeName }),
    state: isRecord ? joinState(data.record.state, stored) : Object.fromEntries(stored.values),
    metadata: data.metadata,
    timestamp: dateOf(details?.createdAt ?? "0"),
    version: details?.version ?? seq,
    ...(expiresAt === null ? {} : { expiresAt: dateOf(expiresAt) }),
  };
  return { record, fixed: isRecord && data.record.fixed === true };
}

/** The namespaces in which checkpoints of `namespace` stand: records', and a graph's. */
export function namespacesOf(namespace: string): [records: string, graph: string] {
  return [recordNamespace(namespace), namespace];
}

function recordNamespace(namespace: string): string {
  return namespace === "" ? RECORDS : `${RECORDS}/${namespace}`;
}

/** The namespace that was given; missing means the root's. */
export function namespaceOf(namespace: unknown): string {
  if (namespace === undefined) return "";
  if (typeof namespace === "string") return namespace;
  throw new InvalidConfigError(`namespace must be a string, got ${describe(namespace)}.`);
}

function threadIdOf(
  record: NewRecord,
  metadata: Readonly<Record<string, unknown>>,
  executionId: string | null,
): string {
  const threadId: unknown = record.threadId ?? metadata.thread_id ?? executionId;
  if (threadId != null) return checkThreadId(threadId);
  throw new InvalidConfigError(
    "A record needs a threadId (or metadata.thread_id, or an executionId): a thread is what is locked, listed and removed as a whole.",
  );
}

function versionOf(version: unknown): number {
  if (Number.isInteger(version) && Math.abs(version as number) <= MAX_VERSION) {
    return version as number;
  }
  throw new InvalidConfigError(
    `version must be a whole number between -2^52 and 2^52, got ${describe(version)}. Leave it out for the next of the thread.`,
  );
}

/** A text that must be there and not be empty. */
export function neededText(value: unknown, what: string): string {
  const found = text(value, what);
  if (found !== null) return found;
  throw new InvalidConfigError(`${what} is missing: it must be a string that is not empty.`);
}

function text(value: unknown, what: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && value !== "") return value;
  throw new InvalidConfigError(
    `${what} must be a string that is not empty, got ${describe(value)}.`,
  );
}

function dateOf(micros: string): Date {
  return new Date(Math.floor(Number(micros) / 1000));
}
