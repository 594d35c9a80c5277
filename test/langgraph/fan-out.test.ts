/** Many tasks in one superstep: `Send`, and branches that run side by side. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { branchesGraph, mapReduceGraph } from "./graphs/fan-out.ts";
import { sameAsMemory } from "./same-as-memory.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("Send: results keep the order in which the tasks were sent", async () => {
    const subjects = Array.from({ length: 12 }, (_, i) => `s${i}`);
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = mapReduceGraph({ checkpointer: stage.saver, record: stage.record });
      return { graph, result: await graph.invoke({ subjects }, stage.config) };
    });
    expect(result.report).toBe(subjects.join("+").toUpperCase());
  });

  test("Send: a thread stopped before its tasks has them, and runs them later", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = mapReduceGraph({ checkpointer: stage.saver, record: stage.record });
      const config = { ...stage.config, interruptBefore: ["work"] };
      await graph.invoke({ subjects: ["a", "b", "c"] }, config);
      const waiting = await graph.getState(stage.config);
      const result = await graph.invoke(null, stage.config);
      return { graph, result: { next: waiting.next, report: result.report } };
    });
    expect(result).toEqual({ next: ["work", "work", "work"], report: "A+B+C" });
    expect(ran).toEqual(["plan", "work a", "work b", "work c", "reduce"]);
  });

  test("parallel branches of different lengths meet in one join", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = branchesGraph({ checkpointer: stage.saver, record: stage.record });
      return { graph, result: await graph.invoke({}, stage.config) };
    });
    expect(result.log).toEqual(["split", "left", "long", "right", "longer", "join", "after"]);
    expect(ran.filter((node) => node === "join")).toHaveLength(1);
  });

  test("an edit in the middle of the branches waits for the others", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = branchesGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, { ...stage.config, interruptBefore: ["longer"] });
      await graph.updateState(stage.config, { log: ["by hand"] }, "longer");
      await graph.invoke(null, stage.config);
      return { graph, result: undefined };
    });
    expect((await graph.getState(config)).values.log).toEqual([
      ...["split", "left", "long", "right", "by hand", "join", "after"],
    ]);
  });
});
