/** The functional API: tasks are pending writes of one long step, the last result is a channel. */
import { Command, INTERRUPT } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { essayGraph } from "./graphs/functional.ts";
import { sameAsMemory } from "./same-as-memory.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("an entrypoint with tasks, three times on one thread", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = essayGraph({ checkpointer: stage.saver, record: stage.record });
      const results: unknown[] = [];
      for (const topic of ["tea", "rain", "snow"]) {
        results.push(await graph.invoke({ topic, review: false }, stage.config));
      }
      return { graph, result: results };
    });
    expect(result).toEqual([
      { text: "TEA 1, TEA 2, TEA 3: FINE", earlier: 0 },
      { text: "RAIN 1, RAIN 2, RAIN 3: FINE", earlier: 1 },
      { text: "SNOW 1, SNOW 2, SNOW 3: FINE", earlier: 2 },
    ]);
  });

  test("finished tasks are not repeated after an interrupt", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = essayGraph({ checkpointer: stage.saver, record: stage.record });
      const asked = await graph.invoke({ topic: "tea", review: true }, stage.config);
      const done = await graph.invoke(new Command({ resume: "weak" }), stage.config);
      return { graph, result: { asked: (asked as Record<string, unknown>)[INTERRUPT], done } };
    });
    expect(result.asked).toMatchObject([{ value: { parts: ["tea 1", "tea 2", "tea 3"] } }]);
    expect(result.done).toEqual({ text: "TEA 1, TEA 2, TEA 3: WEAK", earlier: 0 });
    expect(ran).toEqual(["draft 1", "draft 2", "draft 3", "publish"]);
  });
});
