/**
 * Graphs with scripted nodes, for every test, example and benchmark that needs a real one: no model,
 * no key, no network, and nothing random but the ids that LangGraph itself makes.
 */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { StateSnapshot } from "@langchain/langgraph";
import type { BaseCheckpointSaver, CheckpointListOptions } from "@langchain/langgraph-checkpoint";

export type Durability = "sync" | "async" | "exit";

export interface RunConfig extends RunnableConfig {
  durability?: Durability;
  recursionLimit?: number;
  interruptBefore?: string[];
  interruptAfter?: string[];
}

/** What the tests use of a compiled graph, whatever its state: the generics of LangGraph say no more here. */
export interface TestGraph {
  invoke(input: unknown, config: RunConfig): Promise<Record<string, unknown>>;
  stream(input: unknown, config: RunConfig): Promise<AsyncIterable<unknown>>;
  getState(config: RunnableConfig, options?: { subgraphs?: boolean }): Promise<StateSnapshot>;
  getStateHistory(
    config: RunnableConfig,
    options?: CheckpointListOptions,
  ): AsyncIterableIterator<StateSnapshot>;
  updateState(config: RunnableConfig, values: unknown, asNode?: string): Promise<RunnableConfig>;
  bulkUpdateState(
    config: RunnableConfig,
    supersteps: { updates: { values?: unknown; asNode?: string }[] }[],
  ): Promise<RunnableConfig>;
}

export interface GraphOptions {
  checkpointer: BaseCheckpointSaver;
  /** Told the name of every node as it begins: how a test sees that a finished node did not run again. */
  record?: (node: string) => void;
}

/** `compile()` of any graph, in the one shape that the tests use. */
export function asTestGraph(compiled: unknown): TestGraph {
  return compiled as TestGraph;
}
