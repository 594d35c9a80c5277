/** Calling out of JavaScript costs as much as copying so many characters in it. */
const SHORT = 16;

/**
 * Writes a string whose UTF-8 has `length` bytes, and returns that.
 *
 * Where the string has as many units it is ASCII, and so its own latin1: copying that is faster than
 * making UTF-8.
 */
export function writeText(buffer: Buffer, value: string, at: number, length: number): number {
  if (value.length !== length) return buffer.write(value, at, length, "utf8");
  if (length > SHORT) return buffer.write(value, at, length, "latin1");
  for (let i = 0; i < length; i += 1) buffer[at + i] = value.charCodeAt(i);
  return length;
}
