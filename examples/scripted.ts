/** A model that says what it is told to, in place of a real one: the examples need no key. */
import { randomUUID } from "node:crypto";
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";

type Turn = string | { readonly use: string; readonly args?: Record<string, unknown> };

/** Says a text or uses a tool, turn by turn. */
export function scripted(...turns: readonly Turn[]): ReturnType<typeof fakeModel> {
  const model = fakeModel();
  for (const turn of turns) model.respond(messageOf(turn));
  return model;
}

function messageOf(turn: Turn): AIMessage {
  if (typeof turn === "string") return new AIMessage(turn);
  const { use, args = {} } = turn;
  return new AIMessage({ content: "", tool_calls: [{ id: randomUUID(), name: use, args }] });
}
