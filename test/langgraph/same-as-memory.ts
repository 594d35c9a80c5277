/** Runs one play on `MemorySaver` and on the saver under test, and compares all that both hold afterwards. */
import { randomUUID } from "node:crypto";
import { type BaseCheckpointSaver, MemorySaver } from "@langchain/langgraph-checkpoint";
import { expect } from "vitest";
import type { RunConfig, TestGraph } from "./graphs/graph.ts";
import { picture } from "./picture.ts";

export interface Stage {
  saver: BaseCheckpointSaver;
  /** Config of a new thread. */
  config: RunConfig;
  /** Names of the nodes that ran, in order; pass `stage.record` to the graph. */
  ran: string[];
  record: (node: string) => void;
}

/** Drives a graph through invocations, updates, forks …, and returns the graph with whatever the test wants to see. */
export type Play<T> = (stage: Stage) => Promise<{ graph: TestGraph; result: T }>;

export interface Outcome<T> extends Stage {
  graph: TestGraph;
  result: T;
}

async function perform<T>(
  saver: BaseCheckpointSaver,
  thread: string,
  play: Play<T>,
): Promise<Outcome<T> & { picture: unknown }> {
  const ran: string[] = [];
  const stage: Stage = {
    saver,
    config: { configurable: { thread_id: thread } },
    ran,
    record: (node) => void ran.push(node),
  };
  const { graph, result } = await play(stage);
  return { ...stage, graph, result, picture: await picture(graph, saver, thread) };
}

/**
 * Fails unless the play leaves the same thread in `saver` as in `MemorySaver`: checkpoints, parents, metadata,
 * pending writes, histories. Returns what happened on `saver`, for the test to look at absolutely.
 */
export async function sameAsMemory<T>(
  saver: BaseCheckpointSaver,
  play: Play<T>,
): Promise<Outcome<T>> {
  const thread = `thread ${randomUUID()}`;
  const reference = await perform(new MemorySaver(), thread, play);
  const outcome = await perform(saver, thread, play);
  expect(outcome.picture).toStrictEqual(reference.picture);
  expect(outcome.ran).toEqual(reference.ran);
  return outcome;
}
