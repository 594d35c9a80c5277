/** Interrupts: a run stops, its thread waits in the database, and goes on with an answer. */
import { Command, INTERRUPT, type Interrupt } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { agentGraph } from "./graphs/agent.ts";
import { texts } from "./graphs/chat.ts";
import { interviewGraph, voteGraph } from "./graphs/interrupts.ts";
import { stepsGraph } from "./graphs/steps.ts";
import { sameAsMemory } from "./same-as-memory.ts";

const interrupts = (output: Record<string, unknown>): Interrupt[] =>
  (output as Record<string, Interrupt[]>)[INTERRUPT] ?? [];

describe.each(backends)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("two interrupts in one node, answered one after the other", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = interviewGraph({ checkpointer: stage.saver, record: stage.record });
      const first = await graph.invoke({}, stage.config);
      const second = await graph.invoke(new Command({ resume: "Ada" }), stage.config);
      const last = await graph.invoke(new Command({ resume: "bitter" }), stage.config);
      return { graph, result: { first, second, last } };
    });
    expect(interrupts(result.first)[0]?.value).toEqual({ ask: "name" });
    expect(interrupts(result.second)[0]?.value).toEqual({ ask: "taste of tea" });
    expect(result.last.answers).toEqual(["Ada", "bitter", "published 2"]);
    expect(ran).toEqual(["prepare", "interview", "interview", "interview", "publish"]);
  });

  test("a waiting thread shows its interrupt, and equal pictures while it waits", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = interviewGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      return { graph, result: undefined };
    });
    const state = await graph.getState(config);
    expect(state.next).toEqual(["interview"]);
    expect(state.tasks[0]?.interrupts[0]?.value).toEqual({ ask: "name" });
  });

  test("resume with an update: Command({ resume, update })", async () => {
    const { result } = await sameAsMemory(open.saver, async (stage) => {
      const graph = interviewGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      await graph.invoke(new Command({ resume: "Ada" }), stage.config);
      const result = await graph.invoke(
        new Command({ resume: "dry", update: { topic: "salt", answers: ["0"] } }),
        stage.config,
      );
      return { graph, result };
    });
    expect(result.answers).toEqual(["0", "Ada", "dry", "published 3"]);
    expect(result.topic).toBe("salt");
  });

  test("several tasks wait at once, and are answered together and in two parts", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = voteGraph({ checkpointer: stage.saver, record: stage.record });
      const input = { voters: ["ann", "robot", "bob", "cy"] };
      const waiting = interrupts(await graph.invoke(input, stage.config));
      const answer = (voter: string, vote: string) => {
        const found = waiting.find(({ value }) => (value as { voter: string }).voter === voter);
        return { [found?.id ?? "missing"]: vote };
      };
      const rest = await graph.invoke(
        new Command({ resume: { ...answer("ann", "aye"), ...answer("cy", "nay") } }),
        stage.config,
      );
      const last = await graph.invoke(new Command({ resume: answer("bob", "aye") }), stage.config);
      return { graph, result: { waiting: waiting.length, rest: interrupts(rest).length, last } };
    });
    expect(result.waiting).toBe(3);
    expect(result.rest).toBe(1);
    expect(result.last.votes).toEqual(["ann: aye", "robot: aye", "bob: aye", "cy: nay", "4 votes"]);
    expect(ran.filter((node) => node === "vote robot")).toHaveLength(1);
  });

  test("static interrupts before and after a node", async () => {
    const { ran, graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = stepsGraph({ checkpointer: stage.saver, record: stage.record });
      const config = { ...stage.config, interruptBefore: ["two"], interruptAfter: ["two"] };
      await graph.invoke({ topic: "tea" }, config);
      stage.record("stopped before two");
      await graph.invoke(null, config);
      stage.record("stopped after two");
      await graph.invoke(null, config);
      return { graph, result: undefined };
    });
    expect(ran).toEqual(["one", "stopped before two", "two", "stopped after two", "three"]);
    expect((await graph.getState(config)).next).toEqual([]);
  });

  test("an answered interrupt is answered otherwise by going back in time", async () => {
    const { graph, config } = await sameAsMemory(open.saver, async (stage) => {
      const graph = interviewGraph({ checkpointer: stage.saver, record: stage.record });
      await graph.invoke({}, stage.config);
      const waiting = (await graph.getState(stage.config)).config;
      for (const answer of ["Ada", "bitter"]) {
        await graph.invoke(new Command({ resume: answer }), stage.config);
      }
      await graph.invoke(null, waiting);
      for (const answer of ["Bob", "sweet"]) {
        await graph.invoke(new Command({ resume: answer }), stage.config);
      }
      return { graph, result: undefined };
    });
    expect((await graph.getState(config)).values.answers).toEqual(["Bob", "sweet", "published 2"]);
  });

  test("an agent with tools, a loop and a human approval", async () => {
    const { result, ran } = await sameAsMemory(open.saver, async (stage) => {
      const graph = agentGraph({ checkpointer: stage.saver, record: stage.record });
      const asked = await graph.invoke({ messages: ["refund order 8"] }, stage.config);
      const done = await graph.invoke(new Command({ resume: "yes" }), stage.config);
      return { graph, result: { asked: interrupts(asked), done } };
    });
    expect(result.asked[0]?.value).toEqual({ refund: { order: 8, amount: 12.5 } });
    expect(texts(result.done).slice(-2)).toEqual(["refunded 12.5", "All done."]);
    expect(ran.filter((node) => node === "tools")).toHaveLength(3);
  });
});
