/** What the agent can do. Each tool takes a moment, as the real ones would. */
import { setTimeout as sleep } from "node:timers/promises";

export interface ToolRequest {
  readonly id: string;
  readonly name: keyof typeof TOOLS;
  readonly args: { readonly order: number; readonly amount?: number };
}

type Tool = (args: ToolRequest["args"]) => Promise<string>;

const answering =
  (ms: number, answer: (args: ToolRequest["args"]) => string): Tool =>
  async (args) => {
    await sleep(ms);
    return answer(args);
  };

export const TOOLS: Readonly<
  Record<"find_order" | "read_policy" | "check_stock" | "ask_carrier" | "issue_refund", Tool>
> = {
  find_order: answering(80, () => "espresso machine, 389 €"),
  read_policy: answering(60, () => "refund within 30 days"),
  check_stock: answering(90, () => "none left"),
  ask_carrier: answering(120, () => "dropped in transit"),
  issue_refund: answering(100, ({ amount }) => `${amount} € sent back`),
};
