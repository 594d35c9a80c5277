/** Real graph runs that any process can begin, and any other go on with: what comes next is read from the state. */
import type { BaseMessage } from "@langchain/core/messages";
import { Command, MemorySaver, type StateSnapshot } from "@langchain/langgraph";
import { agentGraph } from "../langgraph/graphs/agent.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { deltaGraph } from "../langgraph/graphs/delta.ts";
import { branchesGraph, mapReduceGraph } from "../langgraph/graphs/fan-out.ts";
import { essayGraph } from "../langgraph/graphs/functional.ts";
import type { GraphOptions, RunConfig, TestGraph } from "../langgraph/graphs/graph.ts";
import { relayGraph } from "../langgraph/graphs/steps.ts";
import { inheritingGraph, nestedGraph } from "../langgraph/graphs/subgraphs.ts";

interface Play {
  build(options: GraphOptions): TestGraph;
  /** One for each turn. */
  readonly inputs: readonly unknown[];
  /** How many turns the finished state holds. Default: one. */
  turns?(values: Record<string, unknown>): number;
  /** The answer to every interrupt. */
  readonly answer?: string;
}

/** Long enough to be stored in chunks. */
const question = (turn: number): string => `question ${turn}: ${"and another word ".repeat(80)}`;

export const PLAYS = {
  chat: {
    build: (options) => chatGraph({ ...options, reply: (all) => `${all.length} `.repeat(600) }),
    inputs: [0, 1, 2, 3].map((turn) => ({
      messages: [{ role: "user", id: `question-${turn}`, content: question(turn) }],
    })),
    turns: (values) => Number(values.turns ?? 0),
  },
  agent: { build: agentGraph, inputs: [{ messages: ["refund order 8"] }], answer: "yes" },
  mapReduce: { build: mapReduceGraph, inputs: [{ subjects: [..."abcdefghij"] }] },
  branches: { build: branchesGraph, inputs: [{}] },
  delta: {
    build: (options) => deltaGraph({ ...options, snapshotFrequency: 7, width: 4 }),
    inputs: [1, 2, 3].map((turn) => ({ log: [`input ${turn}`] })),
    turns: (values) => Number(values.turn ?? 0),
  },
  relay: { build: relayGraph, inputs: [{ goal: 12 }] },
  subgraph: { build: inheritingGraph, inputs: [{}], answer: "it" },
  nested: { build: nestedGraph, inputs: [{}], answer: "it" },
  essay: { build: essayGraph, inputs: [{ topic: "tea", review: true }], answer: "fine" },
} satisfies Readonly<Record<string, Play>>;

export type PlayName = keyof typeof PLAYS;
export const PLAY_NAMES = Object.keys(PLAYS) as PlayName[];

/**
 * Begins the play, or goes on where its thread stands, until all turns are done. Returns what the state holds;
 * undefined where there is more to do after so many calls.
 */
export async function perform(
  name: PlayName,
  options: GraphOptions,
  config: RunConfig,
  calls: number = Number.POSITIVE_INFINITY,
): Promise<unknown> {
  const play: Play = PLAYS[name];
  const graph = play.build(options);
  for (let left = calls; ; left -= 1) {
    const state = await graph.getState(config);
    const input = nextInput(play, state);
    if (input === undefined) return comparable(state.values);
    if (left === 0) return undefined;
    await graph.invoke(input, config);
  }
}

function nextInput(play: Play, state: StateSnapshot): unknown {
  if (state.tasks.some(({ interrupts }) => interrupts.length > 0)) {
    return new Command({ resume: play.answer ?? "" });
  }
  // Not `next`: it leaves out tasks whose writes are stored, and after a crash that may be all of them.
  if (state.tasks.length > 0) return null;
  const begun = state.config.configurable?.checkpoint_id !== undefined;
  const turn = begun ? (play.turns?.(state.values) ?? 1) : 0;
  return play.inputs[turn];
}

/** What an undisturbed run ends with. */
const undisturbed = new Map<PlayName, Promise<unknown>>();
export function expected(name: PlayName): Promise<unknown> {
  let known = undisturbed.get(name);
  if (known === undefined) {
    const config = { configurable: { thread_id: name } };
    known = perform(name, { checkpointer: new MemorySaver() }, config);
    undisturbed.set(name, known);
  }
  return known;
}

/** The state as plain data; ids that LangGraph makes at random are left out. */
function comparable(values: unknown): unknown {
  return JSON.parse(
    JSON.stringify(values, (key, value: unknown) => {
      if (key === "id" && typeof value === "string" && /^[0-9a-f-]{36}$/.test(value)) return "#";
      const message = value as Partial<BaseMessage> | null;
      return typeof message?.getType === "function"
        ? { type: message.getType(), ...message }
        : value;
    }),
  );
}
