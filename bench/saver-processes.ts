/** Starts a process for each saver and tells it what to do. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PeerName } from "./peers/peer.ts";
import type { Run } from "./runners.ts";
import type { Said, Task } from "./saver-process.ts";
import type { Scale } from "./workloads/workload.ts";

export interface SaverProcess {
  readonly name: PeerName;
  begin(workload: string, scale: Scale): Promise<void>;
  run(): Promise<Run>;
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** `server` is the connection string of whoever may create databases. */
export async function startSaver(
  name: PeerName,
  server: string,
  progress: (line: string) => void,
): Promise<SaverProcess> {
  const child = fork(fileURLToPath(new URL("saver-process.ts", import.meta.url)), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ask = (task: Task): Promise<Run | undefined> => answerOf(child, name, task, progress);
  await ask({ kind: "open", name, server });
  return {
    name,
    begin: async (workload, scale) => void (await ask({ kind: "begin", workload, scale })),
    async run() {
      const run = await ask({ kind: "run" });
      if (!run) throw new Error(`${name} measured nothing.`);
      return run;
    },
    finish: async () => void (await ask({ kind: "finish" })),
    async close() {
      // One that failed has ended already.
      if (child.connected) await ask({ kind: "close" });
    },
  };
}

function answerOf(
  child: ChildProcess,
  name: PeerName,
  task: Task,
  progress: (line: string) => void,
): Promise<Run | undefined> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`The process of ${name} ended with ${code}.`));
    const onMessage = (said: Said): void => {
      if ("progress" in said) {
        progress(said.progress);
        return;
      }
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(said.run);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(task);
  });
}
