/** A scripted model in place of a real one, so that the demo needs no key and says the same each time. */
import { setTimeout as sleep } from "node:timers/promises";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { ToolRequest } from "./tools.ts";

interface Turn {
  readonly say: string;
  readonly use: readonly Omit<ToolRequest, "id">[];
}

const ORDER = { order: 1042 };

const SCRIPT: readonly Turn[] = [
  {
    say: "I am sorry to hear that. Let me look at your order.",
    use: [{ name: "find_order", args: ORDER }],
  },
  {
    say: "I check what can be done, and how it happened.",
    use: [
      { name: "read_policy", args: ORDER },
      { name: "check_stock", args: ORDER },
      { name: "ask_carrier", args: ORDER },
    ],
  },
  {
    say: "It broke on the way and there is none left to send, so I would refund it.",
    use: [{ name: "issue_refund", args: { ...ORDER, amount: 389 } }],
  },
  { say: "Your 389 € are on their way back. I am sorry for the trouble.", use: [] },
];

/**
 * The next message: a function of the conversation alone, as with a real model. Were the conversation
 * lost, the model would begin it anew.
 */
export async function askModel(messages: readonly BaseMessage[]): Promise<AIMessage> {
  const turn = messages.filter((message) => message.getType() === "ai").length;
  const { say, use } = SCRIPT[turn] ?? { say: "That is all I know.", use: [] };
  await sleep(120);
  return new AIMessage({
    content: say,
    tool_calls: use.map(({ name, args }, i) => ({ id: `call-${turn}-${i}`, name, args })),
  });
}
