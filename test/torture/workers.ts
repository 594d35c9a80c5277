/** Starts workers, gives them their orders, and kills them. */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Ended, Message, WorkOrder } from "./worker.ts";

interface Spare {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  errors(): string;
}

export interface Workers {
  /**
   * Runs one order in a process of its own. Returns what the runs ended with, or undefined where the process was
   * killed: by itself, or `killAfter` milliseconds after it began.
   */
  run(order: WorkOrder, killAfter?: number): Promise<readonly Ended[] | undefined>;
  end(): void;
}

export function startWorkers(): Workers {
  let spare: Spare | undefined = prepareOne();

  const take = (): Spare => {
    const taken = spare ?? prepareOne();
    // The next one starts while this one works: most of a process's life is its start.
    spare = prepareOne();
    return taken;
  };

  return {
    async run(order, killAfter) {
      const { child, ready, errors } = take();
      await ready;
      let results: readonly Ended[] | undefined;
      const ended = new Promise<void>((resolve, reject) => {
        child.on("message", (message: Message) => {
          if (message.kind === "ended") results = message.results;
          if (message.kind === "begun" && killAfter !== undefined) {
            void sleep(killAfter).then(() => child.kill("SIGKILL"));
          }
        });
        child.once("close", (code, signal) => {
          if (code === 0 || signal === "SIGKILL") resolve();
          else reject(new Error(`a run failed (${code ?? signal}): ${errors()}`));
        });
      });
      child.send(order);
      await ended;
      return results;
    },
    end() {
      spare?.child.kill("SIGKILL");
      spare = undefined;
    },
  };
}

function prepareOne(): Spare {
  const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), {
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (data: string) => {
    text = (text + data).slice(-4000);
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code) => reject(new Error(`the worker ended with ${code}: ${text}`)));
  });
  ready.catch(() => {});
  return { child, ready, errors: () => text };
}
