/**
 * Rows of an encrypted store, sealed on their way in and opened on their way out. What a row says
 * beside its payload is sealed with it: its key, the chunks below it, a checkpoint's parent and
 * versions. So no row can be taken for another one, or put together of two.
 */
import { type Cipher, type Place, plaintextRefused, SEALED } from "../encryption/cipher.ts";
import { CorruptCheckpointError } from "../errors.ts";
import type { Chunk, StoredValue } from "../values/codec.ts";
import { verifyChunk } from "../values/codec.ts";
import { chunkIds, chunkLiteral } from "./chunk-ids.ts";
import type { ChunkRow } from "./columns.ts";
import { textOf } from "./compression.ts";
import { visibleMetadata } from "./filter-metadata.ts";
import { checkpointPlace, placeOfRow } from "./places.ts";
import type { WriteOperation } from "./write-operation.ts";

/**
 * The types of encrypted values. Retention has to tell DeltaSnapshots from other values: the second is
 * one, or may be, because a user's serializer wrote it.
 */
export const TYPE = { value: "sealed", snapshot: "sealed-snapshot" } as const;
/** How the text of a stored DeltaSnapshot begins, whole or cut into chunks. */
export const SNAPSHOT = '{"lc":2,"type":"delta_snapshot"';

export function isSealedType(type: string): boolean {
  return type === TYPE.value || type === TYPE.snapshot;
}

/** A stored value whose chunk ids are those of its content, and the key that hid them; null for none. */
export interface RowValue extends StoredValue {
  readonly key?: string | null;
}

/** The columns of a value as the database has them; opaque bytes are bytes. */
export interface ValueCells {
  readonly type: string;
  readonly payload: string | Uint8Array | null;
  readonly chunks: string | null;
}

export interface ChunkCells {
  readonly id: string;
  readonly payload: string | Uint8Array | null;
  readonly children: string | null;
}

const chunkPlace = ({ id, children }: ChunkCells): Place => ({
  kind: "chunk",
  key: [id],
  beside: [children],
});

/** The place with the cells that are sealed together with a value's payload. */
const withCells = (place: Place, type: string, chunks: string | null): Place => ({
  ...place,
  beside: [...place.beside, type, chunks],
});

export function isSealed(bytes: Uint8Array): boolean {
  return bytes[0] === SEALED;
}

export function sealChunk(
  cipher: Cipher,
  threadId: string,
  { id, payload, children }: ChunkCells,
): ChunkCells & { readonly payload: Buffer } {
  // One call for the chunk and what is below it.
  const below = chunkIds(children);
  const [own = "", ...hidden] = cipher.hideIds(threadId, cipher.writes, [id, ...(below ?? [])]);
  const cells = { id: own, children: below && chunkLiteral(hidden) };
  const place = chunkPlace({ ...cells, payload: null });
  // A node without a payload is sealed too: that its children are what was stored has to be proven.
  return { ...cells, payload: cipher.seal(threadId, place, payload ?? "") };
}

/** The chunk, its id proven; `current` if the first key sealed it. */
export function openChunk(
  cipher: Cipher,
  threadId: string,
  cells: ChunkCells,
): { readonly chunk: Chunk; readonly current: boolean } {
  const { id, payload, children } = cells;
  const below = chunkIds(children);
  if (!(payload instanceof Uint8Array) || !isSealed(payload)) {
    if (!cipher.allowPlaintext) throw plaintextRefused(threadId, chunkPlace(cells));
    const text = payload === null ? null : textOf(Buffer.from(payload));
    const chunk = { id, payload: text, children: below };
    if (!verifyChunk(chunk)) throw notItsId(`Thread ${JSON.stringify(threadId)}`, id);
    return { chunk, current: false };
  }
  const { bytes, key } = cipher.open(threadId, chunkPlace(cells), payload);
  const [own = "", ...shown] = cipher.showIds(threadId, key, [id, ...(below ?? [])]);
  const text = bytes.length === 0 ? null : bytes.toString("utf8");
  const chunk = { id: own, payload: text, children: below && shown };
  if (!verifyChunk(chunk)) throw notItsId(`Thread ${JSON.stringify(threadId)}`, id);
  return { chunk, current: key === cipher.writes };
}

export function notItsId(where: string, id: string): CorruptCheckpointError {
  return new CorruptCheckpointError(`${where}: chunk ${id} does not hold what its id says.`);
}

export function sealValue(
  cipher: Cipher,
  threadId: string,
  place: Place,
  { type, payload, chunks }: ValueCells,
): ValueCells {
  const isSnapshot = type !== "json" || startsWith(payload, SNAPSHOT);
  const sealedType = isSnapshot ? TYPE.snapshot : TYPE.value;
  const ids = chunkIds(chunks);
  const hidden = ids && chunkLiteral(cipher.hideIds(threadId, cipher.writes, ids));
  const name = Buffer.from(type);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(name.length);
  const plain = Buffer.concat([head, name, Buffer.from(payload ?? "")]);
  return {
    type: sealedType,
    payload: cipher.seal(threadId, withCells(place, sealedType, hidden), plain),
    chunks: hidden,
  };
}

export function openValue(
  cipher: Cipher,
  threadId: string,
  place: Place,
  { type, payload, chunks }: ValueCells,
): RowValue {
  if (!isSealedType(type)) {
    if (!cipher.allowPlaintext) throw plaintextRefused(threadId, place);
    return { type, payload, chunks: chunkIds(chunks), key: null };
  }
  const sealed = typeof payload === "string" ? Buffer.from(payload) : (payload ?? Buffer.alloc(0));
  const { bytes, key } = cipher.open(threadId, withCells(place, type, chunks), sealed);
  const start = 2 + bytes.readUInt16BE(0);
  const ids = chunkIds(chunks);
  return {
    type: bytes.toString("utf8", 2, start),
    payload: bytes.subarray(start),
    chunks: ids && cipher.showIds(threadId, key, ids),
    key,
  };
}

/** A checkpoint's data, the JSON text that it was. */
export function openData(
  cipher: Cipher,
  threadId: string,
  place: Place,
  bytes: Buffer,
): { readonly data: string; readonly key: string | null } {
  if (isSealed(bytes)) {
    const opened = cipher.open(threadId, place, bytes);
    return { data: opened.bytes.toString("utf8"), key: opened.key };
  }
  if (!cipher.allowPlaintext) throw plaintextRefused(threadId, place);
  return { data: bytes.toString("utf8"), key: null };
}

interface CheckpointCells {
  readonly checkpoint_ns: unknown;
  readonly checkpoint_id: unknown;
  readonly parent_id: unknown;
  readonly channel_versions: unknown;
  readonly data: string | Uint8Array;
  readonly metadata: string;
}

/**
 * A checkpoint's row with its data sealed, and of its metadata what may be seen. Once for each put:
 * a repetition has to bring the same bytes.
 */
export function sealCheckpoint<R extends CheckpointCells>(
  cipher: Cipher | undefined,
  threadId: string,
  row: R,
): R {
  if (cipher === undefined) return row;
  const namespace = row.checkpoint_ns as string;
  const place = checkpointPlace(
    namespace,
    row.checkpoint_id as string,
    row.parent_id as string | null,
    row.channel_versions as string,
  );
  return {
    ...row,
    data: cipher.seal(threadId, place, row.data),
    metadata: visibleMetadata(row.metadata, namespace, cipher.plainMetadata),
  };
}

/** The operation with its chunks, values and writes sealed; its checkpoint was. */
export function sealRows<O extends Pick<WriteOperation, "chunks" | "values" | "writes">>(
  cipher: Cipher | undefined,
  threadId: string,
  operation: O,
): O {
  if (cipher === undefined) return operation;
  return {
    ...operation,
    chunks: operation.chunks.map(({ chunk_id, payload, children }): Omit<ChunkRow, "n"> => {
      const cells = { id: chunk_id, payload, children } as ChunkCells;
      const sealed = sealChunk(cipher, threadId, cells);
      return { chunk_id: sealed.id, payload: sealed.payload, children: sealed.children };
    }),
    values: operation.values.map((row) => {
      const place = placeOfRow("value", row);
      return { ...row, ...sealValue(cipher, threadId, place, row as ValueCells) };
    }),
    writes: operation.writes.map((row) => {
      const place = placeOfRow("write", row);
      return { ...row, ...sealValue(cipher, threadId, place, row as ValueCells) };
    }),
  };
}

function startsWith(payload: string | Uint8Array | null, text: string): boolean {
  if (payload === null || typeof payload === "string") return payload?.startsWith(text) === true;
  return Buffer.from(payload.subarray(0, text.length)).toString("latin1") === text;
}
