/**
 * Chunks with some kilobytes of text are compressed before they are sent: about half as many bytes in the table and in
 * the log, and fewer than by the server's own compression, which looks for repetitions and leaves letters as they are.
 * The others stay text. Below the smaller size a row gains little; above the larger one, and where a write is so large
 * that it goes in slices, compressing would hold up the process, and the server compresses too.
 *
 * Ids are those of the text, so it does not matter who compressed what. An encrypted store compresses nothing: how long
 * a compressed leaf is tells something of what stands in it.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";

/** The first byte of a payload that is compressed. No JSON text begins with it, and nothing that is sealed. */
export const COMPRESSED = 2;

/** In characters. */
const MIN_LENGTH = 2048;
const MAX_LENGTH = 65_536;
/** What a compressed payload may become: a character has three bytes at most. */
const MAX_BYTES = 3 * MAX_LENGTH;
/** As most chunks need it. By default a quarter of a megabyte is made for each, and 16 KB of it left behind. */
const ROOM = { windowBits: 13, memLevel: 6, chunkSize: 4096 };
/** The default level saves a hundredth more, and needs several times as long for text of few letters. */
const DEFLATE = { ...ROOM, level: 4 };

const HEAD = Buffer.from([COMPRESSED]);

/** The bytes to store for the text of a chunk, or the text where it stays as it is. */
export function compress(text: string): string | Buffer {
  if (text.length < MIN_LENGTH || text.length > MAX_LENGTH) return text;
  return Buffer.concat([HEAD, deflateRawSync(text, DEFLATE)]);
}

/** The text of a stored payload; null where it is damaged so that there is none. */
export function textOf(payload: Uint8Array): string | null {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (bytes[0] !== COMPRESSED) return bytes.toString("utf8");
  const deflated = bytes.subarray(1);
  try {
    const { buffer, engine } = inflateRawSync(deflated, INFLATE) as unknown as Inflated;
    return engine.bytesWritten === deflated.length ? buffer.toString("utf8") : null;
  } catch {
    return null;
  }
}

const INFLATE = { maxOutputLength: MAX_BYTES, chunkSize: 8192, info: true };

/** What `info` makes of the answer, for which Node's types have no overload. */
interface Inflated {
  readonly buffer: Buffer;
  /** `bytesWritten` are those that were needed: what comes behind the end is ignored. */
  readonly engine: { readonly bytesWritten: number };
}
