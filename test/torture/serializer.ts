/** Random values, written and read here and by JsonPlusSerializer: see `test/values/support/properties.ts`. */
import fc from "fast-check";
import { PROPERTIES } from "../values/support/properties.ts";
import { type Campaign, campaign } from "./campaign.ts";

/** Values of each property a round. */
const VALUES = 1000;

export const serializer: Campaign = campaign<typeof console.warn>(
  "serializer",
  async () => {
    // LangChain's constructors warn about legacy tool calls; JsonPlusSerializer lets them.
    const { warn } = console;
    console.warn = () => {};
    const end = async () => {
      console.warn = warn;
    };
    return { shared: warn, end };
  },
  async (_, { random, count }) => {
    for (const property of Object.values(PROPERTIES)) {
      await fc.assert<[unknown]>(property, { numRuns: VALUES, seed: random.below(2 ** 31) });
    }
    count("values each way", VALUES);
  },
);
