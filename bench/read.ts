/** Starts the reading process for one read and waits for its answer. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ReaderTask } from "./reader.ts";
import type { ReadAnswer } from "./workloads/workload.ts";

export function readInFreshProcess(task: ReaderTask): Promise<ReadAnswer> {
  const child = fork(fileURLToPath(new URL("reader.ts", import.meta.url)), {
    execArgv: ["--expose-gc", "--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return new Promise((resolve, reject) => {
    child.once("message", (answer) => resolve(answer as ReadAnswer));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The reading process ended with ${code}.`)));
    child.send(task);
  });
}
