import { setImmediate } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { seeded, text } from "../words.ts";
import { measureOneRun } from "./one-run.ts";
import { type Workload, workload } from "./workload.ts";

const CHANNELS = 60;
const CHANGED = 10;
const VALUE_BYTES = 40;

const channel = (n: number): string => `channel${n % CHANNELS}`;

const State = Annotation.Root({
  ...Object.fromEntries(
    Array.from({ length: CHANNELS }, (_, n) => [channel(n), Annotation<string>()]),
  ),
  step: Annotation<number>,
});

/** A form or a plan with many fields; one run of the graph. */
const wideWorkload = (name: string, node: { readonly waits: boolean }): Workload =>
  workload({
    name,
    peers: ["official", "memory", "references", "driver"],
    warmsUp: true,
    metrics: [
      { key: "total", title: "all steps", unit: "ms", better: "less", targets: { official: 3 } },
      { key: "bytes", title: "stored bytes", unit: "bytes", better: "less" },
    ],
    sizes: { full: { steps: 300 }, quick: { steps: 30 } },
    describe: ({ steps }) =>
      `${CHANNELS} small channels, ${CHANGED} of them changed per step, ${steps} steps; the node ` +
      (node.waits ? "waits for one turn of the event loop" : "waits for nothing"),
    async run({ steps }, context) {
      const open = await context.open();
      const random = seeded(steps);
      const values = (first: number, count: number): Record<string, string> =>
        Object.fromEntries(
          Array.from({ length: count }, (_, n) => [channel(first + n), text(VALUE_BYTES, random)]),
        );
      const before = values(0, CHANNELS);
      const changes = Array.from({ length: steps }, (_, n) => values(n * CHANGED, CHANGED));
      const fill = ({ step }: typeof State.State) => ({ ...changes[step], step: step + 1 });
      const graph = new StateGraph(State)
        .addNode("fill", node.waits ? async (state) => setImmediate(fill(state)) : fill)
        .addEdge(START, "fill")
        .addConditionalEdges("fill", ({ step }) => (step < steps ? "fill" : END), ["fill", END])
        .compile({ checkpointer: open.saver });
      await context.settle();
      return measureOneRun(open, graph, { ...before, step: 0 }, steps);
    },
  });

/** The event loop stands still from the first step to the last: no saver that asks a server hears its answer before. */
export const wide: Workload = wideWorkload("wide", { waits: false });

/** Nodes that call a model or a tool wait, most of them for longer. */
export const wideWaits: Workload = wideWorkload("wide-waits", { waits: true });
