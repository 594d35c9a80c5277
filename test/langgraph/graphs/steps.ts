/** Three nodes in a row that each leave their mark: the smallest graph with a history to fork and edit. */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const StepsState = Annotation.Root({
  log: Annotation<string[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
  topic: Annotation<string>(),
});

export function stepsGraph({ checkpointer, record }: GraphOptions): TestGraph {
  const step = (name: string) => (state: typeof StepsState.State) => {
    record?.(name);
    return { log: [`${name}(${state.topic})`] };
  };
  return asTestGraph(
    new StateGraph(StepsState)
      .addNode("one", step("one"))
      .addNode("two", step("two"))
      .addNode("three", step("three"))
      .addEdge(START, "one")
      .addEdge("one", "two")
      .addEdge("two", "three")
      .addEdge("three", END)
      .compile({ checkpointer }),
  );
}

const RelayState = Annotation.Root({
  laps: Annotation<number>({ reducer: (left, right) => left + right, default: () => 0 }),
  goal: Annotation<number>(),
});

/** `ping` and `pong` in turn until `laps` reaches `goal`: as many supersteps as one asks for. */
export function relayGraph({ checkpointer, record }: GraphOptions): TestGraph {
  const runner = (name: string) => () => {
    record?.(name);
    return { laps: 1 };
  };
  const next = (other: string) => (state: typeof RelayState.State) =>
    state.laps >= state.goal ? END : other;
  return asTestGraph(
    new StateGraph(RelayState)
      .addNode("ping", runner("ping"))
      .addNode("pong", runner("pong"))
      .addEdge(START, "ping")
      .addConditionalEdges("ping", next("pong"), ["pong", END])
      .addConditionalEdges("pong", next("ping"), ["ping", END])
      .compile({ checkpointer }),
  );
}
