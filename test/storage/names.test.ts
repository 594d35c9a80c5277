import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkName, checkThreadId, decodeName, encodeName } from "../../src/storage/names.ts";

/** Any sequence of UTF-16 units, well-formed or not. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0xffff }))
  .map((units) => String.fromCharCode(...units));

describe("names", () => {
  test("case 16: any text comes back as it was, and what is stored is well-formed and without NUL", () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const stored = encodeName(name);
        expect(decodeName(stored)).toBe(name);
        expect(stored.includes("\0")).toBe(false);
        expect(Buffer.from(stored, "utf8").toString("utf8")).toBe(stored);
      }),
      { numRuns: 2000 },
    );
  });

  test("two names are never stored as one", () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(encodeName(a) === encodeName(b)).toBe(a === b);
      }),
      { numRuns: 2000 },
    );
    expect(encodeName("\0")).not.toBe(encodeName("\u001a0000"));
  });

  test("ordinary names are stored as they are", () => {
    for (const name of ["", "messages", "branch:to:model", "Größe 🎈", "a|b:c"]) {
      expect(encodeName(name)).toBe(name);
    }
  });

  test("case 15: a thread id that PostgreSQL cannot hold or index is refused by name", () => {
    expect(checkThreadId("é".repeat(256))).toHaveLength(256);
    expect(() => checkThreadId("é".repeat(257))).toThrow(
      /thread_id has 514 bytes; the limit is 512/,
    );
    expect(() => checkThreadId("a\0b")).toThrow(/thread_id must not hold NUL/);
    expect(() => checkThreadId("\ud800")).toThrow(/lone surrogate/);
    expect(() => checkThreadId("")).toThrow(/must not be the empty string/);
    expect(() => checkThreadId(undefined)).toThrow(/thread_id is missing/);
    expect(() => checkThreadId({})).toThrow(/must be a string, got object/);
    expect(checkThreadId(7)).toBe("7");
    expect(() => checkName("task_id", "x".repeat(513))).toThrow(/task_id has 513 bytes/);
  });
});
