import { THREAD } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

/** What the first request for a thread costs after a deployment, and the next one. */
export const coldRead: Workload = workload({
  name: "cold-read",
  peers: ["official"],
  metrics: [
    { key: "cold", title: "getTuple, cold", unit: "ms", better: "less", targets: { official: 6 } },
    { key: "warm", title: "getTuple, warm", unit: "ms", better: "less", targets: { official: 12 } },
  ],
  sizes: { full: { turns: 600 }, quick: { turns: 20 } },
  describe: ({ turns }) =>
    `getTuple of a thread of ${2 * turns} messages in a fresh process, and again`,
  async run({ turns }, context) {
    const url = await context.chatDatabase(turns);
    await context.settle();
    const { first, again } = await context.read(url, {
      what: "tuple",
      thread: THREAD,
      limit: 1,
      repeat: 20,
    });
    return { metrics: { cold: first, warm: again } };
  },
});
