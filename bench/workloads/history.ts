import { THREAD } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

/** What a page of a thread's history costs. */
export const history: Workload = workload({
  name: "history",
  peers: ["official"],
  metrics: [
    { key: "cold", title: "list, cold", unit: "ms", better: "less", targets: { official: 10 } },
    { key: "warm", title: "list, warm", unit: "ms", better: "less", targets: { official: 10 } },
    { key: "memory", title: "memory, cold", unit: "bytes", better: "less" },
  ],
  sizes: {
    full: { turns: 600, limit: 50 },
    quick: { turns: 20, limit: 10 },
  },
  describe: ({ turns, limit }) =>
    `list of ${limit} checkpoints of a thread of ${turns} turns, in a fresh process, and again`,
  async run({ turns, limit }, context) {
    const url = await context.chatDatabase(turns);
    await context.settle();
    const { first, again, memory } = await context.read(url, {
      what: "list",
      thread: THREAD,
      limit,
      repeat: 3,
    });
    return { metrics: { cold: first, warm: again, memory } };
  },
});
