import { expect, inject, test } from "vitest";
import { model } from "../torture/model.ts";

test("100 interleaved histories: whatever was seen, some serial order gives it, and all that is visible is whole", async () => {
  const connString = inject("postgres")["18"];
  const counts = await model.run({ seed: 1, rounds: 100, connString });
  // Interleavings in which nobody ever waits for or refuses another would prove little.
  expect(counts.waits).toBeGreaterThan(20);
  expect(counts.refused).toBeGreaterThan(20);
}, 120_000);
