/**
 * PostgreSQL's binary array format, one Buffer each, for parameters. `pg` sends a Buffer as it is,
 * where an array of Buffers would go as hex text: twice the bytes, and escaped on both sides.
 *
 * Layout: dimensions (0 for an empty array), a flag for NULLs, the element type's OID, then per
 * dimension its length and lower bound, then per element its length (-1 for NULL) and bytes.
 */
import { InvalidConfigError } from "../errors.ts";
import { writeText } from "./text.ts";

const OID = { bytea: 17, int8: 20, int4: 23, text: 25, uuid: 2950 } as const;
const HEADER = 20;
/** An array without elements has no dimensions. */
const EMPTY_HEADER = 12;
const NULL_LENGTH = -1;

/** `text[]`. Strings must be well-formed and without NUL: PostgreSQL's `text` holds nothing else. */
export function textArray(values: readonly (string | null)[]): Buffer {
  return stringArray(OID.text, values);
}

/** `bytea[]`; a string stands for its UTF-8 bytes. */
export function byteaArray(values: readonly (string | Uint8Array | null)[]): Buffer {
  return stringArray(OID.bytea, values);
}

/** `uuid[]` from uuids in text form, dashed or not. */
export function uuidArray(values: readonly (string | null)[]): Buffer {
  const buffer = begin(OID.uuid, values, 16);
  let at = HEADER;
  for (const value of values) {
    if (value === null) {
      at = buffer.writeInt32BE(NULL_LENGTH, at);
      continue;
    }
    const hex = value.length === 36 ? value.replaceAll("-", "") : value;
    at = buffer.writeInt32BE(16, at);
    // `write` stops without a word at the first character that is no hex digit.
    if (hex.length !== 32 || buffer.write(hex, at, 16, "hex") !== 16) {
      throw new InvalidConfigError("A uuid must be 32 hex digits, with or without its dashes.");
    }
    at += 16;
  }
  return buffer;
}

/** `int4[]`. */
export function int4Array(values: readonly (number | null)[]): Buffer {
  const buffer = begin(OID.int4, values, 4);
  let at = HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? NULL_LENGTH : 4, at);
    if (value !== null) at = buffer.writeInt32BE(value, at);
  }
  return buffer;
}

/** `int8[]`. Numbers must be safe integers. */
export function int8Array(values: readonly (number | bigint | null)[]): Buffer {
  const buffer = begin(OID.int8, values, 8);
  let at = HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? NULL_LENGTH : 8, at);
    if (value !== null) at = buffer.writeBigInt64BE(BigInt(value), at);
  }
  return buffer;
}

function stringArray(oid: number, values: readonly (string | Uint8Array | null)[]): Buffer {
  let size = 0;
  let nulls = 0;
  // Lengths are kept: counting the UTF-8 bytes of a string costs as much as writing them.
  const lengths = new Int32Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) {
      nulls += 1;
      lengths[i] = NULL_LENGTH;
      continue;
    }
    const length = typeof value === "string" ? Buffer.byteLength(value) : value.byteLength;
    lengths[i] = length;
    size += length;
  }
  const buffer = allocate(oid, values.length, nulls, size);
  let at = HEADER;
  for (let i = 0; i < values.length; i += 1) {
    const length = lengths[i] ?? NULL_LENGTH;
    const value = values[i];
    at = buffer.writeInt32BE(length, at);
    if (typeof value === "string") at += writeText(buffer, value, at, length);
    else if (value) {
      buffer.set(value, at);
      at += length;
    }
  }
  return buffer;
}

function begin(oid: number, values: readonly unknown[], width: number): Buffer {
  let nulls = 0;
  for (const value of values) if (value === null) nulls += 1;
  return allocate(oid, values.length, nulls, (values.length - nulls) * width);
}

function allocate(oid: number, count: number, nulls: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(count === 0 ? EMPTY_HEADER : HEADER + 4 * count + bytes);
  buffer.writeInt32BE(count === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(nulls === 0 ? 0 : 1, 4);
  buffer.writeInt32BE(oid, 8);
  if (count === 0) return buffer;
  buffer.writeInt32BE(count, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}
