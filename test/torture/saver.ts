/** Random calls, twenty sequences a round, on a saver and on `MemorySaver`: see `test/properties/saver.ts`. */
import { saverAsMemory } from "../properties/saver.ts";
import type { Campaign } from "./campaign.ts";
import { propertyCampaign } from "./property-campaign.ts";

const SEQUENCES = 20;

export const saver: Campaign = propertyCampaign("saver", async ({ fresh, seed, count }) => {
  count("calls", await saverAsMemory(fresh, { seed, numRuns: SEQUENCES }));
  count("sequences", SEQUENCES);
});
