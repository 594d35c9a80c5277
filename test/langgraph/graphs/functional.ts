/** The functional API: an `entrypoint` that remembers its last value, with tasks that are not repeated after a stop. */
import { entrypoint, getPreviousState, interrupt, task } from "@langchain/langgraph";
import { asTestGraph, type GraphOptions, type TestGraph } from "./graph.ts";

export interface EssayInput {
  topic: string;
  /** Ask a human before publishing. */
  review: boolean;
}

export function essayGraph({ checkpointer, record }: GraphOptions): TestGraph {
  const draft = task("draft", async (topic: string, part: number) => {
    record?.(`draft ${part}`);
    return `${topic} ${part}`;
  });
  const publish = task(
    { name: "publish", retry: { maxAttempts: 2, initialInterval: 1, jitter: false } },
    async (text: string) => {
      record?.("publish");
      return text.toUpperCase();
    },
  );
  return asTestGraph(
    entrypoint({ name: "essay", checkpointer }, async (input: EssayInput) => {
      const previous = getPreviousState<{ published: string[] }>()?.published ?? [];
      const parts = await Promise.all([1, 2, 3].map((part) => draft(input.topic, part)));
      const verdict = input.review ? interrupt<{ parts: string[] }, string>({ parts }) : "fine";
      const text = await publish(`${parts.join(", ")}: ${verdict}`);
      return entrypoint.final({
        value: { text, earlier: previous.length },
        save: { published: [...previous, text] },
      });
    }),
  );
}
