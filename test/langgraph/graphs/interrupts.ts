/** Graphs that stop for a human: inside a node, twice in one node, and in several tasks at once. */
import { Annotation, END, interrupt, Send, START, StateGraph } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

const InterviewState = Annotation.Root({
  answers: Annotation<string[]>({
    reducer: (left, right) => [...left, ...right],
    default: () => [],
  }),
  topic: Annotation<string>(),
});

/** `prepare`, then `interview` asks two questions in one node, then `publish`. */
export function interviewGraph({ checkpointer, record }: GraphOptions): TestGraph {
  return asTestGraph(
    new StateGraph(InterviewState)
      .addNode("prepare", () => {
        record?.("prepare");
        return { topic: "tea" };
      })
      .addNode("interview", (state) => {
        record?.("interview");
        const name = interrupt<{ ask: string }, string>({ ask: "name" });
        const taste = interrupt<{ ask: string }, string>({ ask: `taste of ${state.topic}` });
        return { answers: [name, taste] };
      })
      .addNode("publish", (state) => {
        record?.("publish");
        return { answers: [`published ${state.answers.length}`] };
      })
      .addEdge(START, "prepare")
      .addEdge("prepare", "interview")
      .addEdge("interview", "publish")
      .addEdge("publish", END)
      .compile({ checkpointer }),
  );
}

const VoteState = Annotation.Root({
  voters: Annotation<string[]>(),
  votes: Annotation<string[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
});

/** One task for each voter; each stops until its own answer comes. `robot` votes without asking. */
export function voteGraph({ checkpointer, record }: GraphOptions): TestGraph {
  return asTestGraph(
    new StateGraph(VoteState)
      .addNode("open", () => ({}))
      .addNode("vote", ({ voter }: { voter: string }) => {
        record?.(`vote ${voter}`);
        if (voter === "robot") return { votes: ["robot: aye"] };
        return { votes: [`${voter}: ${interrupt<{ voter: string }, string>({ voter })}`] };
      })
      .addNode("count", (state) => {
        record?.("count");
        return { votes: [`${state.votes.length} votes`] };
      })
      .addEdge(START, "open")
      .addConditionalEdges(
        "open",
        (state) => state.voters.map((voter) => new Send("vote", { voter })),
        ["vote"],
      )
      .addEdge("vote", "count")
      .addEdge("count", END)
      .compile({ checkpointer }),
  );
}
