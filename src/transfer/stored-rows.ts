/** Rows of an export on their way out of a store and into one, which may be encrypted. */
import { type Cipher, notConfigured, SEALED } from "../encryption/cipher.ts";
import { CorruptCheckpointError } from "../errors.ts";
import { chunkIds, chunkLiteral } from "../storage/chunk-ids.ts";
import { COMPRESSED, compress, textOf } from "../storage/compression.ts";
import { filterable } from "../storage/filter-metadata.ts";
import { placeOfRow } from "../storage/places.ts";
import { resealChunk, resealData, resealValue } from "../storage/reseal.ts";
import { isSealedType, openChunk, openData, openValue } from "../storage/sealing.ts";
import { deserialize } from "../values/codec.ts";
import type { ExportRow, Part } from "./export-format.ts";

/** The row as a store without encryption has it. */
export async function openRow(
  cipher: Cipher,
  threadId: string,
  part: Part,
  row: ExportRow,
): Promise<ExportRow> {
  if (part === "chunk") {
    const { id, payload, children } = openChunk(cipher, threadId, chunkCells(row)).chunk;
    return { chunk_id: id, payload, children };
  }
  if (part === "checkpoint") {
    const { base64, ...rest } = row;
    const bytes = bytesOf(base64, row.checkpoint_data) ?? Buffer.alloc(0);
    const { data } = openData(cipher, threadId, placeOfRow(part, row), bytes);
    const { metadata } = (await deserialize(data)) as { readonly metadata?: unknown };
    return { ...rest, checkpoint_data: data, metadata: filterable(metadata ?? {}) };
  }
  const { type, payload, chunks } = openValue(
    cipher,
    threadId,
    placeOfRow(part, row),
    valueCells(row),
  );
  const bytes = Buffer.from(payload ?? "");
  return {
    ...row,
    type,
    payload: type === "json" ? bytes.toString("utf8") : null,
    base64: type === "json" ? null : bytes.toString("base64"),
    chunks,
  };
}

/**
 * The row as this store has it: sealed under its first key, or as it is where the store has none.
 * What it was exported from may have been encrypted or not.
 */
export async function receiveRow(
  cipher: Cipher | undefined,
  threadId: string,
  part: Part,
  row: ExportRow,
): Promise<ExportRow> {
  if (cipher === undefined) {
    if (isSealedRow(part, row)) throw notConfigured(threadId);
    if (isText(part) && row.base64 != null) {
      throw new CorruptCheckpointError(`base64 of the ${part} holds nothing that was encrypted`);
    }
    return part === "chunk" ? compressed(row) : row;
  }
  const route = { cipher: { ...cipher, allowPlaintext: true }, from: threadId, to: threadId };
  if (part === "chunk") {
    const { id, payload, children } = resealChunk(route, chunkCells(row));
    return { chunk_id: id, payload: null, base64: base64Of(payload), children: chunkIds(children) };
  }
  if (part === "checkpoint") {
    const bytes = bytesOf(row.base64, row.checkpoint_data) ?? Buffer.alloc(0);
    const { data, metadata } = await resealData(route, placeOfRow(part, row), bytes);
    return { ...row, checkpoint_data: null, base64: base64Of(data), metadata };
  }
  const value = resealValue(route, placeOfRow(part, row), valueCells(row));
  return {
    ...row,
    type: value.type,
    payload: null,
    base64: base64Of(value.payload),
    chunks: chunkIds(value.chunks),
  };
}

/** Whether rows of that kind hold text, unless they are encrypted. */
function isText(part: Part): boolean {
  return part === "chunk" || part === "checkpoint";
}

/** A row of a chunk with its text, if it can be read. */
export function uncompressed(row: ExportRow): ExportRow {
  const { base64, ...rest } = row;
  const bytes = bytesOf(base64, null);
  const text = bytes?.[0] === COMPRESSED ? textOf(bytes) : null;
  return text === null ? row : { ...rest, payload: text };
}

function compressed(row: ExportRow): ExportRow {
  const payload = compress((row.payload as string | null) ?? "");
  return typeof payload === "string" ? row : { ...row, payload: null, base64: base64Of(payload) };
}

function isSealedRow(part: Part, row: ExportRow): boolean {
  return isText(part)
    ? bytesOf(row.base64, null)?.[0] === SEALED
    : isSealedType(row.type as string);
}

function chunkCells({ chunk_id, payload, base64, children }: ExportRow) {
  return {
    id: chunk_id as string,
    payload: bytesOf(base64, payload),
    children: chunkLiteral((children as string[] | null | undefined) ?? null),
  };
}

function valueCells({ type, payload, base64, chunks }: ExportRow) {
  return {
    type: type as string,
    payload: bytesOf(base64, payload),
    chunks: chunkLiteral((chunks as string[] | null | undefined) ?? null),
  };
}

function bytesOf(base64: ExportRow[string] | undefined, text: ExportRow[string] | undefined) {
  if (base64 != null) return Buffer.from(base64 as string, "base64");
  return text == null ? null : Buffer.from(text as string);
}

function base64Of(bytes: string | Uint8Array | null): string {
  return Buffer.from(bytes ?? "").toString("base64");
}
