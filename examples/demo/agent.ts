/**
 * The agent: a model that asks for tools, tools that run in parallel, and a human who approves before
 * money moves. It is an ordinary LangGraph.js graph; nothing in it knows of crashes.
 */
import { type AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import {
  Annotation,
  END,
  interrupt,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import type { PostgresSaver } from "langgraph-postgres";
import { askModel } from "./model.ts";
import { TOOLS, type ToolRequest } from "./tools.ts";
import type { Update, Watch } from "./watch.ts";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** One for each finished piece of work. Not needed by the agent: it is how the demo checks itself. */
  receipts: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});
type State = typeof State.State;

/** `model` → `tool` (one for each request, in parallel) → `model` …, and `approval` before a refund. */
export function createAgent({
  checkpointer,
  watch,
}: {
  checkpointer: PostgresSaver;
  watch: Watch;
}) {
  return new StateGraph(State)
    .addNode("model", watch("model", nameTurn, callModel))
    .addNode(
      "tool",
      watch("tool", (request: ToolRequest) => request.name, runTool),
    )
    .addNode("approval", watch("approval", nameApproval, askHuman))
    .addEdge(START, "model")
    .addConditionalEdges("model", afterModel, ["tool", "approval", END])
    .addConditionalEdges("approval", afterApproval, ["tool", "model"])
    .addEdge("tool", "model")
    .compile({ checkpointer });
}

async function callModel({ messages }: State): Promise<Update> {
  return { messages: [await askModel(messages)] };
}

async function runTool({ id, name, args }: ToolRequest): Promise<Update> {
  const content = await TOOLS[name](args);
  return { messages: [new ToolMessage({ tool_call_id: id, name, content })] };
}

function askHuman({ messages }: State): Update {
  const [request] = requestsOf(messages);
  // Throws the first time: the run ends here, and goes on in whichever process brings the answer.
  const answer = interrupt<string, string>(`Refund ${request?.args.amount} €?`);
  if (answer === "yes") return {};
  return {
    messages: [
      new ToolMessage({ tool_call_id: request?.id ?? "", content: `The human says: ${answer}` }),
    ],
  };
}

function afterModel({ messages }: State): Send[] | "approval" | typeof END {
  const requests = requestsOf(messages);
  if (requests.length === 0) return END;
  return requests.some(({ name }) => name === "issue_refund")
    ? "approval"
    : requests.map((request) => new Send("tool", request));
}

function afterApproval({ messages }: State): Send[] | "model" {
  const requests = requestsOf(messages);
  return requests.length === 0 ? "model" : requests.map((request) => new Send("tool", request));
}

/** What the last message asks for; nothing, if it is not one of the model's. */
function requestsOf(messages: readonly BaseMessage[]): ToolRequest[] {
  const calls = (messages.at(-1) as AIMessage | undefined)?.tool_calls ?? [];
  return calls.map(({ id = "", name, args }) => ({
    id,
    name: name as ToolRequest["name"],
    args: args as ToolRequest["args"],
  }));
}

function nameTurn({ messages }: State): string {
  return `turn ${1 + messages.filter((message) => message.getType() === "ai").length}`;
}

function nameApproval({ messages }: State): string {
  return requestsOf(messages)[0]?.name ?? "";
}
