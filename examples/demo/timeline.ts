/** The timeline: a line for each task, as soon as it is stored. */
import type { Event, Task } from "./events.ts";
import { paint, print, type Style } from "./terminal.ts";

const COLOURS: Readonly<Record<string, Style>> = { A: "cyan", B: "yellow", C: "magenta" };
/** Column widths; with the process's letter, 80 characters in all. */
const WIDTH = { step: 4, node: 8, what: 43, time: 8, stored: 9 } as const;

/** Prints the table's head, and gives what prints the rest. `start` is when the show began, in ms since the epoch. */
export function createTimeline(start: number): (process: string, event: Event) => void {
  print(paint("dim", `  ${row("step", "node", "what", "time", "stored")}`));
  const line = (
    process: string,
    { step, node }: Task,
    what: string,
    at: number,
    stored: string,
  ) => {
    const time = `${((at - start) / 1000).toFixed(2)} s`;
    print(`${letter(process)} ${row(String(step), node, what, time, stored)}`);
  };
  return (process, event) => {
    if (event.kind === "stored") {
      const { task, what, at, bytes } = event;
      line(process, task, what, at, `${bytes.toLocaleString("en-US")} B`);
    } else if (event.kind === "holding") {
      const killed = paint("red", "SIGKILL".padStart(WIDTH.stored));
      line(process, event.task, `${event.task.name} …`, event.at, killed);
    } else if (event.kind === "begins") {
      print(`\n${letter(process)} ${paint("dim", `process ${event.pid} ${begins(event)}`)}`);
    }
  };
}

function begins({ found }: Event & { kind: "begins" }): string {
  if (found === undefined) return "begins";
  const { step, tasks, stored } = found;
  if (stored === 0) return `brings the answer to step ${step}`;
  return `goes on in step ${step}: ${stored} of ${tasks} tasks stored, ${tasks - stored} to do`;
}

function letter(process: string): string {
  return paint(COLOURS[process] ?? "white", process);
}

function row(step: string, node: string, what: string, time: string, stored: string): string {
  const fitting = what.length > WIDTH.what ? `${what.slice(0, WIDTH.what - 1)}…` : what;
  return [
    `${step.padStart(WIDTH.step)} `,
    `${node.padEnd(WIDTH.node)} `,
    fitting.padEnd(WIDTH.what),
    time.padStart(WIDTH.time),
    stored.padStart(WIDTH.stored),
  ].join(" ");
}
