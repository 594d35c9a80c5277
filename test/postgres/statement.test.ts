import { expect, test } from "vitest";
import { statement } from "../../src/postgres/index.ts";

test("the same text has the same name, another text another", () => {
  expect(statement("put", "select 1").name).toBe(statement("put", "select 1").name);
  expect(statement("put", "select 1").name).not.toBe(statement("put", "select 2").name);
});

test("a name is never longer than 63 bytes, whatever the label", () => {
  for (const label of ["x".repeat(200), "ünïcödé ".repeat(20), "", 'q"uote']) {
    const { name } = statement(label, "select 1");
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^[A-Za-z0-9_]+$/);
  }
});
