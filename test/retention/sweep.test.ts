import { expect, inject, test } from "vitest";
import { sweepOf } from "../torture/sweep.ts";

test("a backlog is swept exactly while writers go on in its threads", async () => {
  // 50,000 of them, and 100 ms at most: `npm run torture -- --only sweep`, on a quiet machine.
  const small = sweepOf({ threads: 100, each: 40, longestWait: 2000 });
  const counts = await small.run({ seed: 1, rounds: 1, connString: inject("postgres")["18"] });
  expect(counts["expired checkpoints swept"]).toBe(4000);
  expect(counts["saves beside it"]).toBeGreaterThan(8);
});
