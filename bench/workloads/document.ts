import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { seeded, text } from "../words.ts";
import { measureOneRun } from "./one-run.ts";
import { type Workload, workload } from "./workload.ts";

const State = Annotation.Root({ report: Annotation<string>, step: Annotation<number> });

/** A sentence that a step puts somewhere into the report. */
const SENTENCE_BYTES = 100;

/** A report that an agent writes and mends: one text in the state, a sentence more each step. */
export const document: Workload = workload({
  name: "document",
  peers: ["official", "memory", "references", "driver"],
  warmsUp: true,
  metrics: [
    { key: "total", title: "all steps", unit: "ms", better: "less" },
    { key: "bytes", title: "stored bytes", unit: "bytes", better: "less" },
  ],
  sizes: {
    full: { kilobytes: 200, steps: 100 },
    quick: { kilobytes: 60, steps: 10 },
  },
  describe: ({ kilobytes, steps }) =>
    `a text of ${kilobytes} KB in the state, a sentence put into it per step, ${steps} steps`,
  async run({ kilobytes, steps }, context) {
    const open = await context.open();
    const random = seeded(kilobytes);
    const report = text(kilobytes * 1000, random);
    const edits = Array.from({ length: steps }, () => ({
      at: Math.floor(random() * report.length),
      sentence: text(SENTENCE_BYTES, random),
    }));
    const graph = new StateGraph(State)
      .addNode("edit", ({ report, step }) => {
        const { at = 0, sentence = "" } = edits[step] ?? {};
        return { report: report.slice(0, at) + sentence + report.slice(at), step: step + 1 };
      })
      .addEdge(START, "edit")
      .addConditionalEdges("edit", ({ step }) => (step < steps ? "edit" : END), ["edit", END])
      .compile({ checkpointer: open.saver });
    await context.settle();
    return measureOneRun(open, graph, { report, step: 0 }, steps);
  },
});
