import { expect, test } from "vitest";
import { serverDies } from "../torture/server-dies.ts";

test("the server dies under load; the runs in flight go on when it is back", async () => {
  const counts = await serverDies.run({ seed: 1, rounds: 1 });
  expect(counts.kills).toBe(3);
  expect(counts["acknowledgements kept"]).toBeGreaterThan(50);
}, 120_000);
