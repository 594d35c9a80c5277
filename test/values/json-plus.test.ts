/** JsonPlusSerializer's format. `npm run torture -- --only serializer` goes on with other seeds. */
import fc from "fast-check";
import { beforeEach, test, vi } from "vitest";
import { PROPERTIES } from "./support/properties.ts";

beforeEach(() => {
  // LangChain's constructors warn about legacy tool calls; JsonPlusSerializer lets them.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

for (const [what, property] of Object.entries(PROPERTIES)) {
  test(what, async () => {
    await fc.assert<[unknown]>(property, { numRuns: 2000, seed: 42 });
  }, 120_000);
}
