/** Graphs that nobody thought of: a few stages in a row, each of a random kind, and what is done with them. */
import {
  Annotation,
  Command,
  DeltaChannel,
  END,
  interrupt,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import fc, { type Arbitrary } from "fast-check";
import {
  asTestGraph,
  type Durability,
  type GraphOptions,
  type TestGraph,
} from "../langgraph/graphs/graph.ts";

type Stage =
  /** One node that writes. */
  | { readonly kind: "step"; readonly size: number }
  /** Several nodes at once; the next stage waits for all. */
  | { readonly kind: "branches"; readonly width: number }
  /** One of two nodes, by what the state holds. */
  | { readonly kind: "choice" }
  /** So many tasks of one node by `Send`, or none. */
  | { readonly kind: "send"; readonly width: number; readonly asks: boolean }
  /** Stops and asks. */
  | { readonly kind: "ask"; readonly times: number }
  /** A node that says itself where to go on. */
  | { readonly kind: "command" }
  /** A graph of two nodes, which stops in between if it `asks`. */
  | { readonly kind: "subgraph"; readonly own: boolean; readonly asks: boolean };

export interface Spec {
  readonly stages: readonly Stage[];
  /** Writes between two snapshots of the DeltaChannel. */
  readonly snapshotFrequency: number;
}

/** What is done with the graph, in this order. */
export interface Run {
  readonly durability: Durability;
  readonly turns: number;
  /** Change the state by hand after the first turn. */
  readonly update: boolean;
  /** Go on from a checkpoint of the past: its place in the history. */
  readonly fork: number | undefined;
}

export const anySpec: Arbitrary<Spec> = fc.record({
  snapshotFrequency: fc.constantFrom(1, 3, 100),
  stages: fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant("step" as const),
        size: fc.constantFrom(1, 400, 3000, 12_000),
      }),
      fc.record({ kind: fc.constant("branches" as const), width: fc.integer({ min: 2, max: 3 }) }),
      fc.record({ kind: fc.constant("choice" as const) }),
      fc.record({
        kind: fc.constant("send" as const),
        width: fc.integer({ min: 0, max: 4 }),
        asks: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("ask" as const), times: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ kind: fc.constant("command" as const) }),
      fc.record({
        kind: fc.constant("subgraph" as const),
        own: fc.boolean(),
        asks: fc.boolean(),
      }),
    ),
    { minLength: 1, maxLength: 5 },
  ),
});

export const anyRun: Arbitrary<Run> = fc.record({
  durability: fc.constantFrom<Durability>("sync", "async", "exit"),
  turns: fc.integer({ min: 1, max: 2 }),
  update: fc.boolean(),
  fork: fc.option(fc.nat({ max: 20 }), { nil: undefined }),
});

const concat = (left: string[], right: string[]): string[] => [...left, ...right];
const append = (state: string[], writes: unknown[]): string[] => [
  ...state,
  ...writes.flat().map(String),
];

function stateOf(snapshotFrequency: number) {
  return Annotation.Root({
    log: Annotation<string[]>({ reducer: concat, default: () => [] }),
    delta: () => new DeltaChannel<string[], unknown>(append, { snapshotFrequency }),
    big: Annotation<Record<string, string>>(),
  });
}

const ChildState = Annotation.Root({
  log: Annotation<string[]>({ reducer: concat, default: () => [] }),
  visits: Annotation<number>({ reducer: (left, right) => left + right, default: () => 0 }),
});

/** The stages take their nodes' names from their places; after each comes a `join`, where the next begins. */
export function randomGraph({ stages, snapshotFrequency }: Spec, options: GraphOptions): TestGraph {
  const { checkpointer, record } = options;
  const State = stateOf(snapshotFrequency);
  type State = typeof State.State;
  // A builder whose nodes are known only now; its types want them all in advance.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const graph = new StateGraph(State) as any;
  const mark = (name: string, more: object = {}) => {
    record?.(name);
    return { log: [name], delta: [name], ...more };
  };

  let from: string = START;
  stages.forEach((stage, i) => {
    const join = `join ${i}`;
    const at = (name: string) => `${name} ${i}`;
    graph.addNode(join, (state: State) => mark(join, { log: [`${join}: ${state.delta.length}`] }));
    switch (stage.kind) {
      case "step":
        graph.addNode(at("step"), (state: State) =>
          mark(at("step"), {
            big: { ...state.big, [at("k")]: `${state.log.length} `.repeat(stage.size) },
          }),
        );
        graph.addEdge(from, at("step")).addEdge(at("step"), join);
        break;
      case "branches": {
        const names = Array.from({ length: stage.width }, (_, n) => at(`branch ${n}`));
        for (const name of names) graph.addNode(name, () => mark(name)).addEdge(from, name);
        graph.addEdge(names, join);
        break;
      }
      case "choice": {
        for (const name of [at("left"), at("right")]) {
          graph.addNode(name, () => mark(name)).addEdge(name, join);
        }
        const choose = (state: State) => at(state.log.length % 2 ? "left" : "right");
        graph.addConditionalEdges(from, choose, [at("left"), at("right")]);
        break;
      }
      case "send": {
        graph.addNode(at("work"), async ({ n }: { n: number }) => {
          // They end in another order than they began.
          for (let wait = 0; wait < (4 - n) * 3; wait += 1) await Promise.resolve();
          const said = stage.asks && n % 2 === 1 ? interrupt<string, string>(`n ${n}`) : "nothing";
          return mark(at("work"), { log: [`${at("work")} ${n} ${said}`] });
        });
        const spread = () =>
          stage.width === 0
            ? join
            : Array.from({ length: stage.width }, (_, n) => new Send(at("work"), { n }));
        graph.addConditionalEdges(from, spread, [at("work"), join]).addEdge(at("work"), join);
        break;
      }
      case "ask":
        graph.addNode(at("ask"), () => {
          record?.(at("ask"));
          const answers = Array.from({ length: stage.times }, (_, n) =>
            interrupt<string, string>(`question ${n}`),
          );
          return { log: answers, delta: answers };
        });
        graph.addEdge(from, at("ask")).addEdge(at("ask"), join);
        break;
      case "command":
        graph.addNode(
          at("command"),
          () => new Command({ update: mark(at("command")), goto: join }),
          { ends: [join] },
        );
        graph.addEdge(from, at("command"));
        break;
      case "subgraph":
        graph.addNode(at("child"), child(stage, record));
        graph.addEdge(from, at("child")).addEdge(at("child"), join);
        break;
    }
    from = join;
  });
  graph.addEdge(from, END);
  return asTestGraph(graph.compile({ checkpointer }));
}

function child({ own, asks }: { own: boolean; asks: boolean }, record: GraphOptions["record"]) {
  return new StateGraph(ChildState)
    .addNode("enter", (state) => {
      record?.("enter");
      return { log: [`enter ${state.visits}`], visits: 1 };
    })
    .addNode("leave", () => {
      record?.("leave");
      return { log: [asks ? `told ${interrupt<string, string>("secret?")}` : "leave"] };
    })
    .addEdge(START, "enter")
    .addEdge("enter", "leave")
    .addEdge("leave", END)
    .compile(own ? { checkpointer: true } : {});
}
