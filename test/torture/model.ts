/** Histories of a few calls each, their statements interleaved by a seed, each held against what a serial order gives. */
import { openPlace, type Place, playHistory } from "../model/history.ts";
import { startServer } from "../support/postgres-server.ts";
import { type Campaign, campaign } from "./campaign.ts";

export const model: Campaign = campaign<Place>(
  "model",
  async ({ connString }) => {
    const server = connString === undefined ? await startServer() : undefined;
    const place = await openPlace(connString ?? server?.url() ?? "");
    return {
      shared: place,
      async end() {
        await place.end();
        await server?.stop();
      },
    };
  },
  async (place, { random, count }) => {
    for (const [what, n] of Object.entries(await playHistory(place, random))) count(what, n);
  },
);
