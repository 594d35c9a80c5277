import { performance } from "node:perf_hooks";
import { THREAD } from "./turns.ts";
import { type Workload, workload } from "./workload.ts";

export const deletion: Workload = workload({
  name: "delete",
  peers: ["official"],
  metrics: [
    { key: "total", title: "deleteThread", unit: "ms", better: "less", targets: { official: 1 } },
  ],
  sizes: { full: { turns: 600 }, quick: { turns: 20 } },
  describe: ({ turns }) => `deleteThread of a chat of ${turns} turns`,
  async run({ turns }, context) {
    const open = await context.openCopy(await context.chatDatabase(turns));
    await context.settle();
    const start = performance.now();
    await open.saver.deleteThread(THREAD);
    return { metrics: { total: performance.now() - start } };
  },
});
