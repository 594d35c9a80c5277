import { expect, inject, test } from "vitest";
import { connectionsDie } from "../torture/connections-die.ts";

test("connections die in every way at every moment; each call has its effect once, in time", async () => {
  const counts = await connectionsDie.run({
    seed: 1,
    rounds: 1,
    connString: inject("postgres")["14"],
  });
  expect(counts.cuts).toBeGreaterThanOrEqual(78);
  expect(counts["black holes"]).toBe(1);
  expect(counts["sessions terminated"]).toBeGreaterThan(5);
}, 120_000);
