/** Messages of the extended query protocol, as a client sends them: a letter, a length, a body. */

import { writeText } from "./text.ts";

/** What a statement is sent with: a Buffer in binary, all else as text. */
export type Param = string | number | bigint | boolean | Buffer | null;

const LETTER = { parse: 0x50, bind: 0x42 } as const;
const NULL_LENGTH = -1;
const TEXT = 0;
const BINARY = 1;

/** All rows of the unnamed portal, and the end of what belongs together. */
const EXECUTE_AND_SYNC = Buffer.from("E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04", "latin1");

/**
 * Bind, Execute and Sync in one buffer, behind a Parse if there is a `text` to be parsed. There is no
 * Describe: results are asked for in binary, and who asks knows their columns.
 *
 * @param name The statement's name, `""` for none.
 */
export function executeMessages(
  name: string,
  text: string | undefined,
  params: readonly Param[],
): Buffer {
  const values: (string | Buffer | null)[] = [];
  // Lengths are kept: counting the UTF-8 bytes of a string costs as much as writing them.
  const lengths: number[] = [];
  let bindLength = 4 + 1 + byteLength(name) + 1 + 2 + 2 + 4;
  for (const param of params) {
    // Callers in JavaScript may have `undefined`, which is NULL to the driver, too.
    const value = param == null || Buffer.isBuffer(param) ? (param ?? null) : String(param);
    const length = value === null ? NULL_LENGTH : byteLength(value);
    values.push(value);
    lengths.push(length);
    bindLength += 2 + 4 + Math.max(0, length);
  }
  const parseLength = text === undefined ? 0 : 4 + byteLength(name) + 1 + byteLength(text) + 1 + 2;
  const buffer = Buffer.allocUnsafe(
    (text === undefined ? 0 : 1 + parseLength) + 1 + bindLength + EXECUTE_AND_SYNC.length,
  );
  let at = 0;
  if (text !== undefined) {
    at = buffer.writeUInt8(LETTER.parse, at);
    at = buffer.writeInt32BE(parseLength, at);
    at = writeCString(buffer, name, at);
    at = writeCString(buffer, text, at);
    at = buffer.writeInt16BE(0, at); // types of parameters: the server finds them
  }
  at = buffer.writeUInt8(LETTER.bind, at);
  at = buffer.writeInt32BE(bindLength, at);
  at = writeCString(buffer, "", at); // the portal
  at = writeCString(buffer, name, at);
  at = buffer.writeUInt16BE(values.length, at);
  for (const value of values) {
    at = buffer.writeInt16BE(Buffer.isBuffer(value) ? BINARY : TEXT, at);
  }
  at = buffer.writeUInt16BE(values.length, at);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    const length = lengths[i] as number;
    at = buffer.writeInt32BE(length, at);
    if (typeof value === "string") at += writeText(buffer, value, at, length);
    else if (value) at += value.copy(buffer, at);
  }
  at = buffer.writeInt16BE(1, at); // one format for all columns of the result
  at = buffer.writeInt16BE(BINARY, at);
  EXECUTE_AND_SYNC.copy(buffer, at);
  return buffer;
}

function byteLength(value: string | Buffer): number {
  return typeof value === "string" ? Buffer.byteLength(value) : value.length;
}

function writeCString(buffer: Buffer, value: string, at: number): number {
  return buffer.writeUInt8(0, at + buffer.write(value, at));
}
