/** An agent: a scripted model, tools, a loop, and a human who approves before the last tool runs. */
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import {
  Command,
  END,
  interrupt,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

interface Move {
  tool: "search" | "refund";
  args: Record<string, unknown>;
}

/** What the scripted model does next, by the number of tool results that it has seen. */
const SCRIPT: readonly Move[] = [
  { tool: "search", args: { order: 7 } },
  { tool: "search", args: { order: 8 } },
  { tool: "refund", args: { order: 8, amount: 12.5 } },
];

const TOOLS: Readonly<Record<Move["tool"], (args: Record<string, unknown>) => string>> = {
  search: ({ order }) => `order ${String(order)}: shipped`,
  refund: ({ amount }) => `refunded ${String(amount)}`,
};

const toolResults = (messages: readonly BaseMessage[]): number =>
  messages.filter((message) => message instanceof ToolMessage).length;

/** The move that the last message of the model asks for. */
function requested(messages: readonly BaseMessage[]): { id: string; move: Move } | undefined {
  const call = (messages.at(-1) as AIMessage | undefined)?.tool_calls?.[0];
  return call && { id: call.id ?? "", move: { tool: call.name as Move["tool"], args: call.args } };
}

/** `model` → `tools` → `model` …; a refund goes through `approve`, which interrupts with `{ refund: args }`. */
export function agentGraph({ checkpointer, record }: GraphOptions): TestGraph {
  return asTestGraph(
    new StateGraph(MessagesAnnotation)
      .addNode("model", ({ messages }) => {
        record?.("model");
        const seen = toolResults(messages);
        const move = SCRIPT[seen];
        // `object`: @langchain/core's own type of this field refuses every value under exactOptionalPropertyTypes.
        const usage: object = {
          usage_metadata: { input_tokens: 10, output_tokens: 5, total_tokens: 15 },
        };
        return {
          messages: [
            move
              ? new AIMessage({
                  content: `I use ${move.tool}.`,
                  tool_calls: [{ id: `call-${seen}`, name: move.tool as string, args: move.args }],
                  ...usage,
                })
              : new AIMessage({ content: "All done.", response_metadata: { stop: "end" } }),
          ],
        };
      })
      .addNode(
        "approve",
        ({ messages }) => {
          record?.("approve");
          const wanted = requested(messages);
          const answer = interrupt<unknown, string>({ refund: wanted?.move.args });
          return answer === "yes"
            ? new Command({ goto: "tools" })
            : new Command({
                goto: "model",
                update: {
                  messages: [
                    new ToolMessage({ tool_call_id: wanted?.id ?? "", content: "refused" }),
                  ],
                },
              });
        },
        { ends: ["tools", "model"] },
      )
      .addNode("tools", ({ messages }) => {
        record?.("tools");
        const wanted = requested(messages);
        if (!wanted) throw new Error("no tool was asked for");
        const content = TOOLS[wanted.move.tool](wanted.move.args);
        return {
          messages: [
            new ToolMessage({
              tool_call_id: wanted.id,
              content,
              name: wanted.move.tool,
              artifact: wanted.move.args,
            }),
          ],
        };
      })
      .addEdge(START, "model")
      .addConditionalEdges(
        "model",
        ({ messages }) => {
          const wanted = requested(messages);
          if (!wanted) return END;
          return wanted.move.tool === "refund" ? "approve" : "tools";
        },
        ["approve", "tools", END],
      )
      .addEdge("tools", "model")
      .compile({ checkpointer }),
  );
}
