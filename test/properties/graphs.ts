/** Random graphs, run on `MemorySaver` and on a saver: the same results, and the same threads afterwards. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { RunnableConfig } from "@langchain/core/runnables";
import { Command, INTERRUPT, type Interrupt } from "@langchain/langgraph";
import { type BaseCheckpointSaver, MemorySaver } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import type { TestGraph } from "../langgraph/graphs/graph.ts";
import { picture } from "../langgraph/picture.ts";
import { anyRun, anySpec, type Run, randomGraph, type Spec } from "./random-graph.ts";

/** More questions than any of these graphs has. */
const MOST_ANSWERS = 40;

export async function graphsAsOnMemory(
  /** A saver that remembers nothing. */
  fresh: () => BaseCheckpointSaver,
  { seed, numRuns }: { seed: number; numRuns: number },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anySpec, anyRun, async (spec, run) => {
      const thread = randomUUID();
      const expected = await perform(() => new MemorySaver(), thread, spec, run, true);
      const actual = await perform(fresh, thread, spec, run, false);
      same(actual, expected);
      await fresh().deleteThread(thread);
    }),
    { seed, numRuns },
  );
}

/** All that shows of the run. On a saver that keeps things elsewhere, each call is a new process's. */
async function perform(
  open: () => BaseCheckpointSaver,
  thread: string,
  spec: Spec,
  { durability, turns, update, fork }: Run,
  oneSaver: boolean,
): Promise<unknown> {
  const ran: string[] = [];
  const results: unknown[] = [];
  const config = { configurable: { thread_id: thread } };
  const only = open();
  const record = (node: string) => void ran.push(node);
  const graphNow = (): TestGraph =>
    randomGraph(spec, { checkpointer: oneSaver ? only : open(), record });

  /** To the end, every question answered. */
  const invoke = async (input: unknown, at: RunnableConfig): Promise<void> => {
    let output = await graphNow().invoke(input, { ...at, durability });
    for (let n = 0; n < MOST_ANSWERS; n += 1) {
      const asked = (output as Record<string, Interrupt[]>)[INTERRUPT] ?? [];
      if (asked.length === 0) break;
      const questions = asked.map((one) => String(one.value)).sort();
      results.push(questions);
      // Only one of several at a time, so that there are threads that wait with some answered.
      const [first] = asked.toSorted((a, b) => (String(a.value) < String(b.value) ? -1 : 1));
      const resume = { [first?.id ?? ""]: `answer ${n}` };
      output = await graphNow().invoke(new Command({ resume }), { ...config, durability });
    }
    results.push(output);
  };

  for (let turn = 0; turn < turns; turn += 1) {
    await invoke({ log: [`turn ${turn}`], delta: [`turn ${turn}`], big: { turn: "x" } }, config);
    if (update && turn === 0) {
      await graphNow().updateState(config, { log: ["by hand"], delta: ["by hand"] }, "join 0");
      await invoke(null, config);
    }
  }
  if (fork !== undefined) {
    const history: RunnableConfig[] = [];
    for await (const one of graphNow().getStateHistory(config)) history.push(one.config);
    const from = history[fork % history.length];
    // LangGraph does not go on from everywhere: then it must say the same.
    if (from) await invoke(null, from).catch((error) => void results.push(String(error)));
  }
  return {
    results,
    ran,
    ...((await picture(graphNow(), oneSaver ? only : open(), thread)) as object),
  };
}

function same(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  assert.deepStrictEqual(actual, expected);
  throw new Error("not the same, though it looks the same");
}
