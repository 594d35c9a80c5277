/** Values of 100 MB: they come back, and the process needs their size so many times over and no more. */
import assert from "node:assert/strict";
import { inAProcess } from "../limits/in-a-process.ts";
import { type Campaign, campaign } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";

/** How large, in bytes. */
const VALUES = {
  string: 100_000_000,
  strings: 100_000_000,
  bytes: 100_000_000,
  numbers: 10_000_000,
  channels: 100_000_000,
} as const;
/** Of that, how much memory a put or a get may take besides the value. */
const MOST = 4;

export const large: Campaign = campaign<CampaignDatabase>(
  "large",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    return { shared: database, end: () => database.end() };
  },
  async (database, { count }) => {
    for (const [kind, size] of Object.entries(VALUES)) {
      for (const what of ["put", "get"] as const) {
        const cost = await inAProcess(database, what, kind, size);
        assert.equal(cost.message, undefined);
        if (what === "get") assert(cost.same, `${kind}: what came back is not what was put`);
        const times = cost.bytes / size;
        assert(times < MOST, `${what} ${kind}: ${times} times the value's size`);
        count(`MB for ${what} ${kind}`, Math.round(cost.bytes / 1e6));
      }
    }
    await database.withFreshSaver(async (saver) => {
      for (const [kind, size] of Object.entries(VALUES)) {
        await saver.deleteThread(`large ${kind} ${size}`);
        await saver.deleteThread(`warm up ${kind}`);
      }
    });
  },
);
