/** Work spread over many tasks of one superstep: by `Send`, and by edges to several nodes. */
import { Annotation, Command, END, Send, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const concat = (left: string[], right: string[]): string[] => [...left, ...right];

const MapState = Annotation.Root({
  subjects: Annotation<string[]>(),
  results: Annotation<string[]>({ reducer: concat, default: () => [] }),
  report: Annotation<string>(),
});

/** One `work` task for each subject, then a report over all of them. */
export function mapReduceGraph({ checkpointer, record }: GraphOptions): TestGraph {
  return asTestGraph(
    new StateGraph(MapState)
      .addNode("plan", () => {
        record?.("plan");
        return {};
      })
      .addNode("work", ({ subject }: { subject: string }) => {
        record?.(`work ${subject}`);
        return { results: [subject.toUpperCase()] };
      })
      .addNode("reduce", (state) => {
        record?.("reduce");
        return { report: state.results.join("+") };
      })
      .addEdge(START, "plan")
      .addConditionalEdges(
        "plan",
        (state) => state.subjects.map((subject) => new Send("work", { subject })),
        ["work"],
      )
      .addEdge("work", "reduce")
      .addEdge("reduce", END)
      .compile({ checkpointer }),
  );
}

const BranchState = Annotation.Root({
  log: Annotation<string[]>({ reducer: concat, default: () => [] }),
  winner: Annotation<string>(),
});

/** `split` starts three branches of different lengths; `join` waits for all of them. */
export function branchesGraph({ checkpointer, record }: GraphOptions): TestGraph {
  const mark = (name: string) => () => {
    record?.(name);
    return { log: [name] };
  };
  return asTestGraph(
    new StateGraph(BranchState)
      .addNode("split", mark("split"))
      .addNode("left", mark("left"))
      .addNode("right", mark("right"))
      .addNode("long", mark("long"))
      .addNode("longer", mark("longer"))
      .addNode(
        "join",
        (state) => {
          record?.("join");
          return new Command({ update: { log: ["join"], winner: state.log[1] }, goto: "after" });
        },
        { ends: ["after"] },
      )
      .addNode("after", mark("after"))
      .addEdge(START, "split")
      .addEdge("split", "left")
      .addEdge("split", "right")
      .addEdge("split", "long")
      .addEdge("long", "longer")
      .addEdge(["left", "right", "longer"], "join")
      .addEdge("after", END)
      .compile({ checkpointer }),
  );
}
