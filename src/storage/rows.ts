/** What the reading statements answer, taken apart. */
import { type Cipher, notConfigured, type Place, SEALED } from "../encryption/cipher.ts";
import type { Row } from "../postgres/database.ts";
import { chunkIds } from "./chunk-ids.ts";
import { payloadOf } from "./large-payloads.ts";
import { decodeName, encodeName } from "./names.ts";
import { checkpointPlace, valuePlace, writePlace } from "./places.ts";
import { isSealedType, openData, openValue, type RowValue } from "./sealing.ts";

/** A checkpoint's row, and the rows that belong to it, before its chunks are there. */
export interface CheckpointRows {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  readonly seq: number;
  /** Channel to version, as JSON text with encoded channel names. */
  readonly channelVersions: string;
  /** What the writer of the row wants back, as JSON text. */
  readonly data: string;
  readonly values: { readonly channel: string; readonly value: RowValue }[];
  readonly writes: WriteRows[];
  /** Where the statement was asked for them. */
  details: Details | undefined;
}

/** What a record shows besides. Times are microseconds since the epoch, as text. */
export interface Details {
  readonly executionId: string | null;
  readonly nodeName: string | null;
  readonly version: number | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** The parent's `data`, for a graph's checkpoint. */
  readonly parentData: string | null;
}

export interface WriteRows {
  readonly taskId: string;
  readonly channel: string;
  readonly taskPath: string;
  readonly idx: number;
  readonly value: RowValue;
}

export interface ThreadRow {
  readonly threadId: string;
  readonly generation: string;
  readonly createdAt: string;
}

/**
 * Threads and checkpoints of one answer, checkpoints in the order the statement gave them. With a
 * cipher the answer is that of a statement for encrypted stores.
 */
export function parseRows(
  rows: readonly Row[],
  cipher?: Cipher,
): {
  threads: ThreadRow[];
  checkpoints: CheckpointRows[];
} {
  const threads: ThreadRow[] = [];
  const places = new Map<number, CheckpointRows>();
  const parts: Row[] = [];
  for (const row of rows) {
    const kind = row[0];
    if (kind === "thread") {
      threads.push({ threadId: text(row[2]), generation: text(row[3]), createdAt: text(row[4]) });
    } else if (kind === "checkpoint") {
      places.set(Number(row[1]), {
        threadId: text(row[2]),
        namespace: decodeName(text(row[3])),
        checkpointId: decodeName(text(row[4])),
        parentId: row[5] == null ? null : decodeName(row[5]),
        seq: Number(row[6]),
        channelVersions: text(row[7]),
        data: dataOf(row, cipher),
        values: [],
        writes: [],
        details: undefined,
      });
    } else parts.push(row);
  }
  for (const row of parts) {
    const checkpoint = places.get(Number(row[1]));
    if (checkpoint === undefined) continue;
    if (row[0] === "details") {
      checkpoint.details = detailsOf(row, checkpoint, cipher);
      continue;
    }
    const { threadId } = checkpoint;
    const value = cipher
      ? storedValue(row, 8, threadId, () => placeOf(row, checkpoint), cipher)
      : clearValue(row, 8, threadId, payloadOf(row));
    if (row[0] === "value") checkpoint.values.push({ channel: decodeName(text(row[2])), value });
    else checkpoint.writes.push({ ...writeName(row, 2), value });
  }
  const order = [...places.keys()].sort((a, b) => a - b);
  return { threads, checkpoints: order.map((place) => places.get(place) as CheckpointRows) };
}

/** Of a row of kind "value" or "write". */
function placeOf(row: Row, { namespace, checkpointId }: CheckpointRows): Place {
  if (row[0] === "value") {
    return valuePlace(encodeName(namespace), text(row[2]), text(row[3]));
  }
  const at = { namespace: encodeName(namespace), checkpointId: encodeName(checkpointId) };
  return placeOfWrite(row, 2, at);
}

/** Of a row of kind "checkpoint": thread, namespace, id, parent, and behind `seq` versions and data. */
function dataOf(row: Row, cipher: Cipher | undefined): string {
  const threadId = text(row[2]);
  const data = text(row[9]);
  if (cipher === undefined) {
    if (data.charCodeAt(0) === SEALED) throw notConfigured(threadId);
    return data;
  }
  const place = checkpointPlace(text(row[3]), text(row[4]), row[5] ?? null, text(row[7]));
  return openData(cipher, threadId, place, Buffer.from(data, "base64")).data;
}

function detailsOf(row: Row, of: CheckpointRows, cipher: Cipher | undefined): Details {
  const parent = row[9] ?? null;
  const parentPlace = (): Place =>
    checkpointPlace(
      encodeName(of.namespace),
      encodeName(of.parentId ?? ""),
      row[7] ?? null,
      text(row[8]),
    );
  return {
    executionId: row[2] == null ? null : decodeName(row[2]),
    nodeName: row[3] == null ? null : decodeName(row[3]),
    version: row[4] == null ? null : Number(row[4]),
    createdAt: text(row[5]),
    expiresAt: row[6] ?? null,
    parentData:
      cipher && parent !== null
        ? openData(cipher, of.threadId, parentPlace(), Buffer.from(parent, "base64")).data
        : parent,
  };
}

/** The checkpoint of a pending write, by the names that its columns hold. */
export interface WriteAt {
  readonly namespace: string;
  readonly checkpointId: string;
}

/** A pending write whose columns begin at `at`: task, channel, path, index, then the stored value. */
export function writeOf(
  row: Row,
  at: number,
  threadId: string,
  checkpoint: WriteAt,
  cipher: Cipher | undefined,
): WriteRows {
  const place = (): Place => placeOfWrite(row, at, checkpoint);
  return { ...writeName(row, at), value: storedValue(row, at + 4, threadId, place, cipher) };
}

function placeOfWrite(row: Row, at: number, checkpoint: WriteAt): Place {
  return writePlace({
    ...checkpoint,
    taskId: text(row[at]),
    channel: text(row[at + 1]),
    taskPath: text(row[at + 2]),
    idx: text(row[at + 3]),
  });
}

function writeName(row: Row, at: number): Omit<WriteRows, "value"> {
  return {
    taskId: decodeName(text(row[at])),
    channel: decodeName(text(row[at + 1])),
    taskPath: decodeName(text(row[at + 2])),
    idx: Number(row[at + 3]),
  };
}

/** The versions of all channels, by their real names, numbers and strings as they were. */
export function versionsOf(rows: CheckpointRows): Record<string, string | number> {
  const versions: Record<string, string | number> = JSON.parse(rows.channelVersions);
  if (!Object.keys(versions).some((name) => decodeName(name) !== name)) return versions;
  // fromEntries defines own properties, so that a channel named __proto__ stays one.
  return Object.fromEntries(
    Object.entries(versions).map(([name, version]) => [decodeName(name), version]),
  );
}

/** The four columns from `at` on: type, JSON payload, opaque payload as base64, chunk ids. */
export function storedValue(
  row: Row,
  at: number,
  threadId: string,
  place: () => Place,
  cipher: Cipher | undefined,
): RowValue {
  if (cipher === undefined) return clearValue(row, at, threadId);
  const { type, payload } = cellsOf(row, at);
  return openValue(cipher, threadId, place(), { type, payload, chunks: row[at + 3] ?? null });
}

/** The same in a store without keys. */
function clearValue(row: Row, at: number, threadId: string, whole?: Buffer): RowValue {
  const { type, payload } = cellsOf(row, at, whole);
  if (isSealedType(type)) throw notConfigured(threadId);
  return { type, payload, chunks: chunkIds(row[at + 3]) };
}

function cellsOf(row: Row, at: number, whole?: Buffer) {
  const opaque = row[at + 2];
  const payload = opaque == null ? (row[at + 1] ?? null) : (whole ?? Buffer.from(opaque, "base64"));
  return { type: text(row[at]), payload };
}

/** A column that the statements never leave NULL. */
function text(cell: string | null | undefined): string {
  return cell ?? "";
}
