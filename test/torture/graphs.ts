/** Random graphs, fifteen a round, on a saver and on `MemorySaver`: see `test/properties/graphs.ts`. */
import { graphsAsOnMemory } from "../properties/graphs.ts";
import type { Campaign } from "./campaign.ts";
import { propertyCampaign } from "./property-campaign.ts";

const GRAPHS = 15;

export const graphs: Campaign = propertyCampaign("graphs", async ({ fresh, seed, count }) => {
  await graphsAsOnMemory(fresh, { seed, numRuns: GRAPHS });
  count("graphs", GRAPHS);
});
