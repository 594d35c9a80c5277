import { performance } from "node:perf_hooks";
import { chat } from "../graphs/chat.ts";
import { type Call, recordingSaver } from "../graphs/recorded-calls.ts";
import { inOrder } from "../in-order.ts";
import { references } from "../peers/references.ts";
import { CROWD_BYTES, CROWD_SIZES } from "./crowd.ts";
import { type Workload, workload } from "./workload.ts";

/**
 * The crowd again, without LangGraph: in one process the graphs' own work would hide how fast a
 * saver can go. The same calls, in each thread as concurrent as LangGraph made them.
 */
export const crowdCalls: Workload = workload({
  name: "crowd-calls",
  peers: ["official", "memory", "references", "driver", "driver-each"],
  warmsUp: true,
  metrics: [
    {
      key: "total",
      title: "all calls",
      unit: "ms",
      better: "less",
      // 0.7 of the pace of the bare driver: where it asks the statements that our calls were joined to, and where it
      // asks one for each of the calls.
      targets: { driver: 0.7, "driver-each": 0.7 },
    },
    { key: "pace", title: "calls", unit: "per second", better: "more" },
  ],
  sizes: CROWD_SIZES,
  describe: ({ threads, turns }) =>
    `only the saver's calls of ${threads} threads at once, ${turns} short runs each`,
  async run({ threads, turns }, context) {
    const calls = await recordCalls(threads, turns);
    const { saver } = await context.open();
    await context.settle();
    const start = performance.now();
    await context.together(
      [...calls.values()].map((ofThread) => () => inOrder(ofThread, ({ ask }) => ask(saver))),
    );
    const total = performance.now() - start;
    const count = [...calls.values()].reduce((sum, ofThread) => sum + ofThread.length, 0);
    return { metrics: { total, pace: (count * 1000) / total } };
  },
});

async function recordCalls(threads: number, turns: number): Promise<Map<string, Call[]>> {
  const calls = new Map<string, Call[]>();
  const { saver } = await references.open("");
  const { turn } = chat(recordingSaver(saver, calls), { turns, ...CROWD_BYTES });
  for (let thread = 0; thread < threads; thread += 1) {
    for (let n = 0; n < turns; n += 1) await turn(`thread-${thread}`, n);
  }
  return calls;
}
