import { performance } from "node:perf_hooks";
import { chat } from "../graphs/chat.ts";
import { type Workload, workload } from "./workload.ts";

export const CROWD_SIZES = {
  full: { threads: 64, turns: 50 },
  quick: { threads: 32, turns: 3 },
};

export const CROWD_BYTES = { human: 60, ai: 120 } as const;

/** A busy service: many people at once, each with a short chat. */
export const crowd: Workload = workload({
  name: "crowd",
  peers: ["official", "memory", "references", "driver"],
  warmsUp: true,
  metrics: [
    {
      key: "total",
      title: "all runs",
      unit: "ms",
      better: "less",
      targets: { official: 4 },
    },
    { key: "pace", title: "runs", unit: "per second", better: "more" },
    { key: "bytes", title: "stored bytes", unit: "bytes", better: "less" },
  ],
  sizes: CROWD_SIZES,
  describe: ({ threads, turns }) =>
    `${threads} threads at once in one process, ${turns} short runs each`,
  async run({ threads, turns }, context) {
    const open = await context.open();
    const { turn } = chat(open.saver, { turns, ...CROWD_BYTES });
    await context.settle();
    const start = performance.now();
    await Promise.all(
      Array.from({ length: threads }, async (_, thread) => {
        for (let n = 0; n < turns; n += 1) await turn(`thread-${thread}`, n);
      }),
    );
    const total = performance.now() - start;
    const bytes = await open.bytes();
    const pace = (threads * turns * 1000) / total;
    return { metrics: { total, pace, ...(bytes === undefined ? {} : { bytes }) } };
  },
});
