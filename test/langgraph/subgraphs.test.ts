/** Subgraphs: their checkpoints live in namespaces of the same thread. */
import { Command, type StateSnapshot } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { inheritingGraph, nestedGraph, rememberingGraph } from "./graphs/subgraphs.ts";
import { sameAsMemory } from "./same-as-memory.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("an inheriting subgraph stops inside and resumes where it stopped", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = inheritingGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      const waiting = await graph.getState(stage.config, { subgraphs: true });
      const last = await graph.invoke(new Command({ resume: "42" }), stage.config);
      return { graph, result: { waiting, last } };
    });
    const inner = result.waiting.tasks[0]?.state as StateSnapshot;
    expect(inner.next).toEqual(["ask"]);
    expect(inner.config.configurable?.checkpoint_ns).toMatch(/^child:/);
    expect(result.last.log).toEqual(["before", "before", "enter 0", "told 42", "after 4"]);
    expect(ran).toEqual(["before", "enter", "ask", "ask", "after"]);
  });

  test("a subgraph with its own checkpointer remembers earlier visits", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = rememberingGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      await graph.invoke({}, stage.config);
      const result = await graph.invoke({}, stage.config);
      return { graph, result };
    });
    expect((result.log as string[]).filter((line) => line.startsWith("enter"))).toContain(
      "enter 2",
    );
  });

  test("a subgraph with its own checkpointer stops, resumes, and remembers", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = rememberingGraph({ checkpointer: stage.saver, record: stage.record }, true);
      for (const answer of ["x", "y"]) {
        await graph.invoke({}, stage.config);
        await graph.invoke(new Command({ resume: answer }), stage.config);
      }
      const { values } = await graph.getState(stage.config);
      return { graph, result: values.log as string[] };
    });
    expect(result).toContain("told x");
    expect(result).toContain("told y");
    expect(result).toContain("enter 1");
  });

  test("three levels deep", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = nestedGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      const waiting = await graph.getState(stage.config, { subgraphs: true });
      await graph.invoke(new Command({ resume: "deep" }), stage.config);
      return { graph, result: waiting };
    });
    const middle = result.tasks[0]?.state as StateSnapshot;
    const inner = middle.tasks[0]?.state as StateSnapshot;
    expect(inner.config.configurable?.checkpoint_ns).toMatch(/^child:.*\|inner:/);
    expect(ran).toEqual(["before", "enter", "ask", "ask", "after"]);
  });

  test("the state of a waiting subgraph can be edited", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = inheritingGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      const waiting = await graph.getState(stage.config, { subgraphs: true });
      const inner = waiting.tasks[0]?.state as StateSnapshot;
      await graph.updateState(inner.config, { log: ["edited inside"] });
      const result = await graph.invoke(new Command({ resume: "7" }), stage.config);
      return { graph, result };
    });
    expect(result.log).toContain("edited inside");
    expect(result.log).toContain("told 7");
  });

  test("time travel of the parent gives the subgraph the state of that time", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = rememberingGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      await graph.invoke({}, stage.config);
      let old: StateSnapshot | undefined;
      for await (const snapshot of graph.getStateHistory(stage.config)) {
        if (snapshot.next.includes("child")) old = snapshot;
      }
      await graph.invoke(null, old?.config ?? {});
      return { graph, result: undefined };
    });
    // The first visit again: nobody had entered before it.
    expect((await graph.getState(config)).values.log).toContain("enter 0");
    expect((await graph.getState(config)).values.log).not.toContain("enter 1");
  });
});
