/** Nodes that fail: alone, beside a sibling that succeeds, and until a retry policy has had enough. */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

class Outage extends Error {
  override readonly name = "Outage";
}

export interface FailingOptions extends GraphOptions {
  /** How often `shaky` throws before it works. */
  failures: number;
  /** Attempts within one run; 1 means no retry. */
  attempts?: number;
}

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
});

/** `start`, then `shaky` and `steady` side by side, then `end`. */
export function failingGraph(options: FailingOptions): TestGraph {
  const { checkpointer, record, attempts = 1 } = options;
  let left = options.failures;
  const mark = (name: string) => () => {
    record?.(name);
    return { log: [name] };
  };
  const shaky = async () => {
    record?.("shaky");
    // Its sibling is through by then: LangGraph aborts what still runs when a task fails.
    for (let i = 0; i < 10; i += 1) await new Promise(setImmediate);
    if (left > 0) {
      left -= 1;
      throw new Outage(`the service is down (${left} more)`);
    }
    return { log: ["shaky"] };
  };
  const retryPolicy = {
    maxAttempts: attempts,
    initialInterval: 1,
    jitter: false,
    retryOn: () => true,
    logWarning: false,
  };
  return asTestGraph(
    new StateGraph(State)
      .addNode("start", mark("start"))
      .addNode("shaky", shaky, attempts > 1 ? { retryPolicy } : {})
      .addNode("steady", mark("steady"))
      .addNode("end", mark("end"))
      .addEdge(START, "start")
      .addEdge("start", "shaky")
      .addEdge("start", "steady")
      .addEdge(["shaky", "steady"], "end")
      .addEdge("end", END)
      .compile({ checkpointer }),
  );
}
