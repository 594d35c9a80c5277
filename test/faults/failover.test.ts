import { expect, test } from "vitest";
import { failover } from "../torture/failover.ts";

test("the primary is killed, or steps down: writers go on at the promoted standby", async () => {
  const counts = await failover.run({ seed: 1, rounds: 2 });
  expect(counts["primaries killed"]).toBe(1);
  expect(counts["primaries that stepped down"]).toBe(1);
  expect(counts["runs finished after the failover"]).toBeGreaterThanOrEqual(12);
}, 180_000);
