import { CHAT_BYTES, chat as startChat } from "../graphs/chat.ts";
import { measureTurns, THREAD, turnMetrics } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

export const chat: Workload = workload({
  name: "chat",
  peers: ["official", "memory", "references", "driver"],
  warmsUp: true,
  metrics: turnMetrics({
    total: { official: 25, memory: 5 },
    last: { official: 30 },
    bytes: { official: 100 },
    growth: 3,
  }),
  sizes: { full: { turns: 600 }, quick: { turns: 25 } },
  describe: ({ turns }) =>
    `one thread, ${turns} turns of a human (0.2 KB) and an AI message (1.2 KB)`,
  async run({ turns }, context) {
    const open = await context.open();
    const { turn } = startChat(open.saver, { turns, ...CHAT_BYTES });
    await context.settle();
    return measureTurns(open, turns, (n) => turn(THREAD, n));
  },
});
