/** Values of a size that nobody should have, each about so many bytes as JSON text. */

const LINE = "abcdefghij klmnopqrst uvwxyz 0123456789 ";

/** A text of `length` characters that says in each line where in it one is: no part of it comes twice. */
function text(length: number, mark: string): string {
  const lines = Math.ceil(length / LINE.length);
  return Array.from({ length: lines }, (_, i) => `${mark} ${i} ${LINE}`)
    .join("")
    .slice(0, length);
}

function nested(levels: number): unknown {
  let value: unknown = "the innermost";
  for (let i = 0; i < levels; i += 1) value = i % 2 ? [value] : { in: value };
  return value;
}

export const LARGE_VALUES: Readonly<Record<string, (size: number) => Record<string, unknown>>> = {
  /** One string. */
  string: (size) => ({ big: text(size, "one") }),
  /** Strings of a kilobyte. */
  strings: (size) => ({
    big: Array.from({ length: Math.ceil(size / 1000) }, (_, i) => text(1000, String(i))),
  }),
  /** Numbers of about nine digits. */
  numbers: (size) => ({
    big: Array.from({ length: Math.ceil(size / 10) }, (_, i) => 100_000_000 + i),
  }),
  /** Ten characters a level. */
  nested: (size) => ({ big: nested(Math.ceil(size / 10)) }),
  /** 10,000 channels. */
  channels: (size) =>
    Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [`channel ${i}`, text(size / 10_000, String(i))]),
    ),
  /** Bare bytes. */
  bytes: (size) => ({ big: new Uint8Array(size).map((_, i) => i % 251) }),
};
