/** One node that runs again and again: a long run of short steps, in which a test can do something at a given step. */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const LapsState = Annotation.Root({
  log: Annotation<string[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
  goal: Annotation<number>(),
});

export interface LapsOptions extends GraphOptions {
  /** Done by the node before it returns, with the number of the lap, from 1 on. */
  onLap?: (lap: number, log: string[]) => unknown;
}

/** Runs until `log` holds `goal` laps. */
export function lapsGraph({ checkpointer, record, onLap }: LapsOptions): TestGraph {
  return asTestGraph(
    new StateGraph(LapsState)
      .addNode("lap", async ({ log }) => {
        record?.(`lap ${log.length + 1}`);
        await onLap?.(log.length + 1, log);
        return { log: [`lap ${log.length + 1}`] };
      })
      .addEdge(START, "lap")
      .addConditionalEdges("lap", ({ log, goal }) => (log.length >= goal ? END : "lap"), [
        "lap",
        END,
      ])
      .compile({ checkpointer }),
  );
}
