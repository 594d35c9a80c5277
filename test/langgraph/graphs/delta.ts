/** A `DeltaChannel`: its value is never stored, only rebuilt from the writes along the parent chain. */
import { Annotation, DeltaChannel, END, Send, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

/** Batching-invariant, as LangGraph asks, and order-sensitive, so that a wrong order shows. */
const append = (state: string[], writes: unknown[]): string[] => [
  ...state,
  ...writes.flat().map(String),
];

export interface DeltaOptions extends GraphOptions {
  /** Writes between two snapshots; LangGraph's own default is 100. */
  snapshotFrequency?: number;
  /** Tasks of one superstep that write to the channel at once. */
  width?: number;
}

/** `start` writes once, then `width` tasks of one superstep write in parallel, then `finish` once more. */
export function deltaGraph(options: DeltaOptions): TestGraph {
  const { checkpointer, record, snapshotFrequency = 100, width = 6 } = options;
  const State = Annotation.Root({
    log: () => new DeltaChannel<string[], unknown>(append, { snapshotFrequency }),
    turn: Annotation<number>({ reducer: (left, right) => left + right, default: () => 0 }),
  });
  return asTestGraph(
    new StateGraph(State)
      .addNode("start", (state) => {
        record?.("start");
        return { log: [`start ${state.log.length}`], turn: 1 };
      })
      .addNode("work", async ({ name, delay }: { name: string; delay: number }) => {
        record?.(`work ${name}`);
        // The tasks end in another order than they began: what counts is their path, not their end.
        for (let i = 0; i < delay; i += 1) await Promise.resolve();
        return { log: [`${name}1`, `${name}2`] };
      })
      .addNode("finish", (state) => {
        record?.("finish");
        return { log: [`finish ${state.log.length}`] };
      })
      .addEdge(START, "start")
      .addConditionalEdges(
        "start",
        () =>
          Array.from(
            { length: width },
            (_, i) =>
              new Send("work", { name: String.fromCharCode(97 + i), delay: (width - i) * 5 }),
          ),
        ["work"],
      )
      .addEdge("work", "finish")
      .addEdge("finish", END)
      .compile({ checkpointer }),
  );
}

/** What `log` must hold after `turns` turns of {@link deltaGraph} that each brought `input(turn)`. */
export function deltaLog(turns: number, width = 6): string[] {
  const log: string[] = [];
  for (let turn = 1; turn <= turns; turn += 1) {
    log.push(`input ${turn}`);
    log.push(`start ${log.length}`);
    for (let i = 0; i < width; i += 1) {
      const name = String.fromCharCode(97 + i);
      log.push(`${name}1`, `${name}2`);
    }
    log.push(`finish ${log.length}`);
  }
  return log;
}
