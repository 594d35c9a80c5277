/**
 * The process of one saver. It has no other saver in it, as in the life of its users: what one of them
 * keeps in memory, and what the compiler learned from it, would be paid for by the next.
 * Started by `saver-processes.ts`.
 */
import { chatDatabases } from "./chat-databases.ts";
import type { Harness } from "./context.ts";
import { connectDatabases, type Databases } from "./databases.ts";
import type { PeerName } from "./peers/peer.ts";
import { createRunner, type Run, type Runner } from "./runners.ts";
import { workloads } from "./workloads/all.ts";
import type { Scale } from "./workloads/workload.ts";

/** What the process is asked to do; it is asked one thing at a time. */
export type Task =
  | { readonly kind: "open"; readonly name: PeerName; readonly server: string }
  | { readonly kind: "begin"; readonly workload: string; readonly scale: Scale }
  | { readonly kind: "run" | "finish" | "close" };

/** What it says: that the task is done, with what a run measured; or what it is doing. */
export type Said = { readonly done: true; readonly run?: Run } | { readonly progress: string };

const say = (said: Said): void => void process.send?.(said);

let databases: Databases | undefined;
let saver: { readonly name: PeerName; readonly harness: Harness } | undefined;
let runner: Runner | undefined;

process.on("message", (task: Task) => {
  perform(task).then(
    (run) => {
      say({ done: true, ...(run ? { run } : {}) });
      if (task.kind === "close") process.disconnect();
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
});

async function perform(task: Task): Promise<Run | undefined> {
  switch (task.kind) {
    case "open": {
      databases = await connectDatabases(task.server, `bench_${task.name.replace("-", "_")}`);
      const chats = chatDatabases(databases, (progress) => say({ progress }));
      saver = { name: task.name, harness: { databases, chats } };
      return undefined;
    }
    case "begin": {
      const workload = workloads.find(({ name }) => name === task.workload);
      if (!saver || !workload) throw new Error(`There is no workload ${task.workload}.`);
      runner = createRunner(saver.name, workload, saver.harness, task.scale);
      return undefined;
    }
    case "run":
      return runner?.run();
    case "finish":
      await runner?.end();
      return undefined;
    case "close":
      await databases?.close();
      return undefined;
  }
}
