/** What graphs wrote, seen as records; and records in a graph's thread, which the graph never sees. */
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  END,
  interrupt,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import type { PostgresCheckpointStore } from "../../src/index.ts";
import { both, fresh, useStore } from "./open-store.ts";

const chat = (store: PostgresCheckpointStore) =>
  new StateGraph(MessagesAnnotation)
    .addNode("think", ({ messages }) => ({ messages: [new AIMessage(`#${messages.length}`)] }))
    .addNode("speak", ({ messages }) => ({ messages: [new AIMessage(`said ${messages.length}`)] }))
    .addEdge(START, "think")
    .addEdge("think", "speak")
    .addEdge("speak", END)
    .compile({ checkpointer: store.checkpointer });

describe.each(both)("graphs' checkpoints on $name", (backend) => {
  const fixture = useStore(backend);

  test("appear as records: execution, version, nodes, state", async () => {
    const { store, another } = fixture.current;
    const [threadId, run] = [fresh("thread"), fresh("run")];
    const graph = chat(store);
    const config = { configurable: { thread_id: threadId, run_id: run } };
    await graph.invoke({ messages: [new HumanMessage("hi")] }, config);
    const records = await another().listByThread<{ messages: unknown[] }>(threadId);
    expect(records.map(({ version, nodeName }) => [version, nodeName])).toEqual([
      [-1, undefined],
      [0, "__start__"],
      [1, "think"],
      [2, "speak"],
    ]);
    for (const one of records) {
      expect(one).toMatchObject({ threadId, namespace: "", executionId: run });
      expect(one.metadata).toMatchObject({ step: one.version });
    }
    const [first, second] = records;
    expect(second?.parentId).toBe(first?.id);
    expect(first).not.toHaveProperty("parentId");

    const latest = await store.getLatestByThread<{ messages: AIMessage[] }>(threadId);
    expect(latest).toEqual(records.at(-1));
    const { values } = await graph.getState(config);
    expect(latest?.state.messages).toEqual(values.messages);
    expect(latest?.state.messages[1]).toBeInstanceOf(AIMessage);
    expect(await store.load(latest?.id ?? "")).toEqual(latest);
    expect((await store.list(run)).map(({ id }) => id)).toEqual(records.map(({ id }) => id));
  });

  test("the latest is the one that the graph goes on from, also after a fork", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const graph = chat(store);
    const config = { configurable: { thread_id: threadId } };
    for (const text of ["a", "b", "c"]) {
      await graph.invoke({ messages: [new HumanMessage(text)] }, config);
    }
    const records = await store.listByThread(threadId);
    const early = records.find(({ version }) => version === 1);
    await graph.invoke(
      { messages: [new HumanMessage("fork")] },
      store.resumeConfig(threadId, early?.id),
    );
    const state = await graph.getState(config);
    const latest = await store.getLatestByThread(threadId);
    expect(latest?.id).toBe(state.config.configurable?.checkpoint_id);
    // The fork's steps began anew: by step, an abandoned checkpoint would be the latest.
    expect(latest?.version).toBeLessThan(Math.max(...records.map(({ version }) => version)));
    const last = await store.listWithOptions({ threadId, orderBy: "version DESC", limit: 1 });
    expect(last.checkpoints[0]).toEqual(latest);
  });

  test("resumeConfig resumes: the last checkpoint, or a given one", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const State = Annotation.Root({
      asked: Annotation<string>,
      steps: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("prepare", () => ({ steps: ["prepared"] }))
      .addNode("ask", () => ({ asked: interrupt("may I?") as string, steps: ["asked"] }))
      .addEdge(START, "prepare")
      .addEdge("prepare", "ask")
      .addEdge("ask", END)
      .compile({ checkpointer: store.checkpointer });
    await graph.invoke({}, { configurable: { thread_id: threadId } });
    expect(store.resumeConfig(threadId)).toEqual({
      configurable: { thread_id: threadId, checkpoint_ns: "" },
    });
    const done = await graph.invoke(new Command({ resume: "yes" }), store.resumeConfig(threadId));
    expect(done).toMatchObject({ asked: "yes", steps: ["prepared", "asked"] });

    const records = await store.listByThread(threadId);
    const before = records.find(({ nodeName }) => nodeName === "__start__");
    await graph.invoke(null, store.resumeConfig(threadId, before?.id));
    const again = await store.getLatestByThread<{ steps: string[] }>(threadId);
    expect(again?.state.steps).toEqual(["prepared"]);
    // LangGraph puts a checkpoint of its own where the fork begins.
    const fork = await store.load(again?.parentId ?? "");
    expect([fork.id, fork.parentId]).toContain(before?.id);
  });

  test("parallel nodes are named together, subgraphs have their namespace", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const State = Annotation.Root({
      log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const inner = new StateGraph(State)
      .addNode("inside", () => ({ log: ["inside"] }))
      .addEdge(START, "inside")
      .compile({ checkpointer: true });
    const graph = new StateGraph(State)
      .addNode("left", () => ({ log: ["left"] }))
      .addNode("right", () => ({ log: ["right"] }))
      .addNode("sub", inner)
      .addEdge(START, "left")
      .addEdge(START, "right")
      .addEdge(["left", "right"], "sub")
      .compile({ checkpointer: store.checkpointer });
    await graph.invoke({}, { configurable: { thread_id: threadId } });
    const records = await store.listByThread(threadId, { namespace: "" });
    expect(records.map(({ nodeName }) => nodeName?.split(", ").sort().join())).toEqual([
      undefined,
      "__start__",
      "left,right",
      "sub",
    ]);
    const all = await store.listByThread(threadId);
    const namespaces = new Set(all.map(({ namespace }) => namespace));
    expect(namespaces).toContain("sub");
    expect(await store.getLatestByThread(threadId)).toEqual(records.at(-1));
    const sub = await store.getLatestByThread(threadId, { namespace: "sub" });
    expect(sub).toMatchObject({ namespace: "sub", nodeName: "inside" });
  });

  test("fan-out by Send names the node once", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const State = Annotation.Root({
      log: Annotation<number[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("work", ({ n }: { n: number }) => ({ log: [n] }))
      .addConditionalEdges(START, () => [1, 2, 3].map((n) => new Send("work", { n })))
      .compile({ checkpointer: store.checkpointer });
    await graph.invoke({}, { configurable: { thread_id: threadId } });
    const latest = await store.getLatestByThread<{ log: number[] }>(threadId);
    expect(latest?.state.log).toEqual([1, 2, 3]);
    expect(latest?.version).toBe(1);
  });

  test("a record in a graph's thread is never the graph's, and goes with the thread", async () => {
    const { store, another } = fixture.current;
    const threadId = fresh("thread");
    const graph = chat(store);
    const config = { configurable: { thread_id: threadId } };
    await graph.invoke({ messages: [new HumanMessage("hi")] }, config);
    const head = await graph.getState(config);
    const record = await store.save({ id: fresh("cp"), threadId, state: { messages: "mine" } });
    await store.save({ id: fresh("cp"), threadId, namespace: "side", state: 1 });
    // The graph sees none of it …
    expect(await graph.getState(config)).toEqual(head);
    const history: string[] = [];
    for await (const one of graph.getStateHistory(config))
      history.push(one.config.configurable?.checkpoint_id);
    expect(history).toHaveLength(4);
    expect(history).not.toContain(record.id);
    const tuples: string[] = [];
    for await (const tuple of another().checkpointer.list({
      configurable: { thread_id: threadId },
    })) {
      tuples.push(tuple.checkpoint.id);
    }
    expect(tuples).toEqual(history);
    for await (const tuple of another().checkpointer.list({})) {
      expect(tuple.config.configurable?.checkpoint_ns).not.toMatch(/^@records/);
    }
    // … and the store sees both, in the order in which they were written.
    expect(await store.listByThread(threadId)).toHaveLength(6);
    expect(await store.getLatestByThread(threadId)).toEqual(record);
    await graph.invoke({ messages: [new HumanMessage("more")] }, config);
    expect((await store.getLatestByThread(threadId))?.nodeName).toBe("speak");
    await store.checkpointer.deleteThread(threadId);
    expect(await store.listByThread(threadId)).toEqual([]);
  });

  test("a graph's checkpoint can be deleted, and the graph goes on from the one before", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const graph = chat(store);
    const config = { configurable: { thread_id: threadId } };
    await graph.invoke({ messages: [new HumanMessage("hi")] }, config);
    const records = await store.listByThread(threadId);
    expect(await store.delete(records.at(-1)?.id ?? "")).toBe(1);
    const state = await graph.getState(config);
    expect(state.config.configurable?.checkpoint_id).toBe(records.at(-2)?.id);
    await graph.invoke(null, config);
    expect((await store.getLatestByThread(threadId))?.nodeName).toBe("speak");
  });

  test("clearing a run takes its checkpoints and no other's", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const graph = chat(store);
    const runs = [fresh("run"), fresh("run")];
    for (const run_id of runs) {
      await graph.invoke(
        { messages: [new HumanMessage(run_id)] },
        { configurable: { thread_id: threadId, run_id } },
      );
    }
    expect(await store.clear(runs[1] ?? "")).toBe(4);
    const state = await graph.getState({ configurable: { thread_id: threadId } });
    expect(state.values.messages).toHaveLength(3);
    expect(await store.list(runs[1] ?? "")).toEqual([]);
    expect(await store.list(runs[0] ?? "")).toHaveLength(4);
  });
});
