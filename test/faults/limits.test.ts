import { expect, test } from "vitest";
import { diskFull, limits } from "../torture/limits.ts";

test("pool, connections and timeouts run out: typed errors, nothing partial, and it works again", async () => {
  const counts = await limits.run({ seed: 1, rounds: 1 });
  expect(counts["typed errors"]).toBe(26);
  expect(counts["waited out"]).toBe(12);
}, 120_000);

test("the disk is full: typed errors, nothing acknowledged is lost, and it works again", async (context) => {
  const skipped = await diskFull.skipped();
  if (skipped !== undefined) context.skip(skipped);
  const counts = await diskFull.run({ seed: 1, rounds: 1 });
  expect(counts["disks filled"]).toBe(2);
}, 120_000);
