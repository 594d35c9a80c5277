/** A node fails: what its siblings did is kept, the error is stored, and the thread goes on later. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { failingGraph } from "./graphs/failing.ts";
import { sameAsMemory } from "./same-as-memory.ts";

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("an error in a node, then a resume that runs only that node again", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const { saver: checkpointer, record } = stage;
      const graph = failingGraph({ checkpointer, record, failures: 1 });
      await expect(graph.invoke({}, stage.config)).rejects.toThrow("the service is down");
      const failed = await graph.getState(stage.config);
      const done = await graph.invoke(null, stage.config);
      return { graph, result: { failed, done } };
    });
    const shaky = result.failed.tasks.find(({ name }) => name === "shaky");
    expect(shaky?.error).toMatchObject({ name: "Outage", message: expect.stringMatching(/down/) });
    expect(result.done.log).toEqual(["start", "shaky", "steady", "end"]);
    expect(ran).toEqual(["start", "shaky", "steady", "shaky", "end"]);
  });

  test("the thread that failed, as it was stored", async () => {
    const { ran } = await sameAsMemory(open.saver, async (stage) => {
      const { saver: checkpointer, record } = stage;
      const graph = failingGraph({ checkpointer, record, failures: 9 });
      await expect(graph.invoke({}, stage.config)).rejects.toThrow("the service is down");
      await expect(graph.invoke(null, stage.config)).rejects.toThrow("the service is down");
      return { graph, result: undefined };
    });
    expect(ran.filter((node) => node === "steady")).toHaveLength(1);
  });

  test("a retry policy: three attempts within one step", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const { saver: checkpointer, record } = stage;
      const graph = failingGraph({ checkpointer, record, failures: 2, attempts: 3 });
      return { graph, result: await graph.invoke({}, stage.config) };
    });
    expect(result.log).toEqual(["start", "shaky", "steady", "end"]);
    expect(ran.filter((node) => node === "shaky")).toHaveLength(3);
  });

  test("a retry policy that gives up, and a resume that succeeds", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const { saver: checkpointer, record } = stage;
      const graph = failingGraph({ checkpointer, record, failures: 3, attempts: 2 });
      await expect(graph.invoke({}, stage.config)).rejects.toThrow("the service is down");
      return { graph, result: await graph.invoke(null, stage.config) };
    });
    expect(result.log).toEqual(["start", "shaky", "steady", "end"]);
    expect(ran.filter((node) => node === "steady")).toHaveLength(1);
  });
});
