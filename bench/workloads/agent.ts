import { agent as startAgent } from "../graphs/agent.ts";
import { measureTurns, THREAD, turnMetrics } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

export const agent: Workload = workload({
  name: "agent",
  peers: ["official", "memory", "references", "driver"],
  warmsUp: true,
  metrics: turnMetrics({ total: { official: 10 }, bytes: { official: 30 } }),
  sizes: { full: { turns: 150 }, quick: { turns: 20 } },
  describe: ({ turns }) =>
    `one thread, ${turns} turns of a question, a tool call, a tool result of 3 KB and an answer`,
  async run({ turns }, context) {
    const open = await context.open();
    const { turn } = startAgent(open.saver, turns);
    await context.settle();
    return measureTurns(open, turns, (n) => turn(THREAD, n));
  },
});
