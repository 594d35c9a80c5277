import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { seeded, text } from "../words.ts";
import { measureOneRun } from "./one-run.ts";
import { type Workload, workload } from "./workload.ts";

type Files = Record<string, string>;

const State = Annotation.Root({
  files: Annotation<Files>({
    reducer: (old, changed) => ({ ...old, ...changed }),
    default: () => ({}),
  }),
  step: Annotation<number>,
});

const FILE_BYTES = 5000;

/** The working folder of a coding agent, in the state of the graph; one run of the graph, one file a step. */
export const files: Workload = workload({
  name: "files",
  peers: ["official", "memory", "references", "driver"],
  warmsUp: true,
  metrics: [
    { key: "total", title: "all steps", unit: "ms", better: "less", targets: { official: 10 } },
    {
      key: "bytes",
      title: "stored bytes",
      unit: "bytes",
      better: "less",
      targets: { official: 50 },
    },
  ],
  sizes: {
    full: { count: 200, steps: 100 },
    quick: { count: 60, steps: 10 },
  },
  describe: ({ count, steps }) =>
    `a map of ${count} files of 5 KB in the state, one changed per step, ${steps} steps`,
  async run({ count, steps }, context) {
    const open = await context.open();
    const random = seeded(count);
    const name = (n: number): string => `src/module-${n % count}.ts`;
    const before: Files = {};
    for (let n = 0; n < count; n += 1) before[name(n)] = text(FILE_BYTES, random);
    const changes = Array.from({ length: steps }, () => ({
      [name(Math.floor(random() * count))]: text(FILE_BYTES, random),
    }));
    const graph = new StateGraph(State)
      .addNode("edit", ({ step }) => ({ files: changes[step] ?? {}, step: step + 1 }))
      .addEdge(START, "edit")
      .addConditionalEdges("edit", ({ step }) => (step < steps ? "edit" : END), ["edit", END])
      .compile({ checkpointer: open.saver });
    await context.settle();
    return measureOneRun(open, graph, { files: before, step: 0 }, steps);
  },
});
