/** Starts the demo's processes, listens to them, and kills one. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Event, Order } from "./events.ts";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs `worker.ts` until it ends. A process that is to be held in the middle of a step is killed with
 * SIGKILL when it says that it is there: it has no chance to tidy up.
 */
export function runProcess(
  order: Order,
  listen: (event: Event) => void,
  signal?: AbortSignal,
): Promise<Ended> {
  const child = fork(
    fileURLToPath(new URL("worker.ts", import.meta.url)),
    [JSON.stringify(order)],
    {
      // TypeScript on every Node from 20.19 on, wherever the demo was started from.
      execArgv: ["--import", import.meta.resolve("tsx")],
      env: {
        ...process.env,
        TSX_TSCONFIG_PATH: fileURLToPath(new URL("../../tsconfig.json", import.meta.url)),
      },
      ...(signal ? { signal, killSignal: "SIGKILL" } : {}),
    },
  );
  child.on("message", (event: Event) => {
    listen(event);
    if (event.kind === "holding") child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // "close" and not "exit": by then everything it told has been heard.
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}
