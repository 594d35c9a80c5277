import { expect, inject, test } from "vitest";
import { rekey } from "../torture/rekey.ts";

test("the key changes under graphs that write, beside prunes and deletions; nothing is lost", async () => {
  const counts = await rekey.run({ seed: 1, rounds: 1, connString: inject("postgres")["18"] });
  expect(counts.runs).toBe(36);
  expect(counts["threads deleted"]).toBe(9);
  expect(counts["rows rewritten"]).toBeGreaterThan(100);
  expect(counts["acknowledgements kept"]).toBeGreaterThan(100);
}, 120_000);
