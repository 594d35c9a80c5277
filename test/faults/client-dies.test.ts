/** The short forms of the campaigns of `npm run torture`; what each does is said at its top. */
import { expect, inject, test } from "vitest";
import { clientDies } from "../torture/client-dies.ts";

test("the client dies at random moments; others go on with its threads", async () => {
  const counts = await clientDies.run({ seed: 1, rounds: 1, connString: inject("postgres")["18"] });
  expect(counts.rounds).toBe(1);
  expect(counts.kills).toBeGreaterThanOrEqual(2);
  expect(counts["acknowledgements kept"]).toBeGreaterThan(50);
}, 120_000);
