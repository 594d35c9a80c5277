/** Graphs inside graphs: one that inherits its parent's checkpointer, one with a memory of its own, one two levels deep. */
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const SharedState = Annotation.Root({
  log: Annotation<string[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
});
const ChildState = Annotation.Root({
  ...SharedState.spec,
  visits: Annotation<number>({ reducer: (left, right) => left + right, default: () => 0 }),
});

type Record_ = GraphOptions["record"];

function child(record: Record_, options: { asks: boolean; own: boolean }) {
  return new StateGraph(ChildState)
    .addNode("enter", (state) => {
      record?.("enter");
      return { log: [`enter ${state.visits}`], visits: 1 };
    })
    .addNode("ask", () => {
      record?.("ask");
      return {
        log: [options.asks ? `told ${interrupt<string, string>("secret?")}` : "asked none"],
      };
    })
    .addEdge(START, "enter")
    .addEdge("enter", "ask")
    .addEdge("ask", END)
    .compile(options.own ? { checkpointer: true } : {});
}

function parent(options: GraphOptions, inner: ReturnType<typeof child>): TestGraph {
  const { checkpointer, record } = options;
  return asTestGraph(
    new StateGraph(SharedState)
      .addNode("before", () => {
        record?.("before");
        return { log: ["before"] };
      })
      .addNode("child", inner)
      .addNode("after", (state) => {
        record?.("after");
        return { log: [`after ${state.log.length}`] };
      })
      .addEdge(START, "before")
      .addEdge("before", "child")
      .addEdge("child", "after")
      .addEdge("after", END)
      .compile({ checkpointer }),
  );
}

/** The child keeps its checkpoints under the parent's task and starts afresh at every visit. */
export function inheritingGraph(options: GraphOptions, asks = true): TestGraph {
  return parent(options, child(options.record, { asks, own: false }));
}

/** The child has `checkpointer: true`: one namespace for all visits, so it remembers how many there were. */
export function rememberingGraph(options: GraphOptions, asks = false): TestGraph {
  return parent(options, child(options.record, { asks, own: true }));
}

/** Parent, child and grandchild; the grandchild asks. */
export function nestedGraph(options: GraphOptions): TestGraph {
  const middle = new StateGraph(SharedState)
    .addNode("inner", child(options.record, { asks: true, own: false }))
    .addNode("tail", () => ({ log: ["tail"] }))
    .addEdge(START, "inner")
    .addEdge("inner", "tail")
    .addEdge("tail", END)
    .compile();
  return parent(options, middle as unknown as ReturnType<typeof child>);
}
