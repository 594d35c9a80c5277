/** The saver against `MemorySaver`. `npm run torture -- --only saver` and `--only graphs` go on with other seeds. */
import { expect, inject, test } from "vitest";
import { graphs } from "../torture/graphs.ts";
import { saver } from "../torture/saver.ts";

test("random calls of the saver: after each, both hold the same", async () => {
  const counts = await saver.run({ seed: 1, rounds: 1, connString: inject("postgres")["14"] });
  expect(counts.calls).toBeGreaterThan(150);
}, 120_000);

test("random graphs: the same results, histories and pending writes", async () => {
  const counts = await graphs.run({ seed: 1, rounds: 1, connString: inject("postgres")["18"] });
  expect(counts.graphs).toBe(15);
}, 120_000);
