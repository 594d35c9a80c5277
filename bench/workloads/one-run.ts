/** A workload that is one run of a graph on one thread, its state given at the start. */
import { performance } from "node:perf_hooks";
import type { OpenSaver } from "../peers/peer.ts";
import { THREAD } from "./turns.ts";
import type { Measured } from "./workload.ts";

interface Graph<Input> {
  invoke(
    input: Input,
    config: { configurable: { thread_id: string }; recursionLimit: number },
  ): Promise<unknown>;
}

/** Milliseconds from the input to the last of so many steps, and the bytes that are stored then. */
export async function measureOneRun<Input>(
  open: OpenSaver,
  graph: Graph<Input>,
  input: Input,
  steps: number,
): Promise<Measured> {
  const start = performance.now();
  await graph.invoke(input, {
    configurable: { thread_id: THREAD },
    recursionLimit: steps + 5,
  });
  const total = performance.now() - start;
  const bytes = await open.bytes();
  return { metrics: { total, ...(bytes === undefined ? {} : { bytes }) } };
}
