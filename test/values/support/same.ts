import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

/**
 * Equal to the last bit: prototypes, `-0`, own keys called `constructor`. vitest's own comparison is
 * slower and knows less; it is asked for the message.
 */
export function expectSame(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  expect(actual).toStrictEqual(expected);
  throw new Error("not the same, though it looks the same");
}
