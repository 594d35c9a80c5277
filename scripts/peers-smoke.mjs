// Plays what a graph does with a checkpointer, against the installed packages. Started by try-peers.mjs, in a user's folder.
import { deepStrictEqual, rejects, strictEqual } from "node:assert";
import { readFileSync } from "node:fs";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import * as langgraph from "@langchain/langgraph";
import { PostgresCheckpointStore, ThreadConflictError } from "langgraph-postgres";

const { Command, END, interrupt, MessagesAnnotation, Send, START, StateGraph } = langgraph;
const store = await PostgresCheckpointStore.connect({ embedded: "memory" });
const { checkpointer } = store;
const played = [];
const play = async (name, work) => {
  await work({ configurable: { thread_id: name } });
  played.push(name);
};
const texts = ({ messages }) => messages.map(({ content }) => content);

const chat = new StateGraph(MessagesAnnotation)
  .addNode("reply", ({ messages }) => ({ messages: [new AIMessage(`answer ${messages.length}`)] }))
  .addEdge(START, "reply")
  .compile({ checkpointer });

await play("turns", async (thread) => {
  await chat.invoke({ messages: [new HumanMessage("a")] }, thread);
  const { messages } = await chat.invoke({ messages: ["b"] }, thread);
  deepStrictEqual(texts({ messages }), ["a", "answer 1", "b", "answer 3"]);
  strictEqual((await chat.getState(thread)).values.messages[1].getType(), "ai");
});

await play("fork", async (thread) => {
  await chat.invoke({ messages: ["root"] }, thread);
  const root = (await chat.getState(thread)).config;
  const branches = [];
  for (const name of ["left", "right"]) {
    await chat.invoke({ messages: [name] }, root);
    branches.push((await chat.getState(thread)).config);
  }
  for (const [i, name] of ["left", "right"].entries()) {
    deepStrictEqual(texts((await chat.getState(branches[i])).values), [
      "root",
      "answer 1",
      name,
      "answer 3",
    ]);
  }
  let steps = 0;
  for await (const _ of chat.getStateHistory(thread)) steps += 1;
  strictEqual(steps, 9);
});

await play("interrupt", async (thread) => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("ask", () => ({ messages: [new AIMessage(interrupt("Send it?"))] }))
    .addEdge(START, "ask")
    .compile({ checkpointer });
  await graph.invoke({ messages: ["Write."] }, thread);
  const { tasks } = await graph.getState(thread);
  strictEqual(tasks[0].interrupts[0].value, "Send it?");
  const { messages } = await graph.invoke(new Command({ resume: "yes" }), thread);
  deepStrictEqual(texts({ messages }), ["Write.", "yes"]);
});

await play("resume", async (thread) => {
  let works = false;
  const ran = [];
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("first", () => {
      ran.push("first");
      return { messages: [new AIMessage("first")] };
    })
    .addNode("second", () => {
      if (!works) throw new Error("not yet");
      return { messages: [new AIMessage("second")] };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile({ checkpointer });
  await rejects(graph.invoke({ messages: ["go"] }, thread), /not yet/);
  works = true;
  deepStrictEqual(texts(await graph.invoke(null, thread)), ["go", "first", "second"]);
  deepStrictEqual(ran, ["first"]);
});

await play("fan-out", async (thread) => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("plan", () => ({}))
    .addNode("work", ({ n }) => ({ messages: [new AIMessage(`${n}`)] }))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", () => [3, 1, 2].map((n) => new Send("work", { n })), ["work"])
    .addEdge("work", END)
    .compile({ checkpointer });
  const live = texts(await graph.invoke({ messages: ["go"] }, thread));
  deepStrictEqual(texts((await graph.getState(thread)).values), live);
});

await play("conflict", async (thread) => {
  const { thread_id } = thread.configurable;
  const lease = await store.acquireThread(thread_id);
  await rejects(store.acquireThread(thread_id), ThreadConflictError);
  await chat.invoke({ messages: ["a"] }, lease.config);
  await lease.release();
  strictEqual((await store.getLatestByThread(thread_id)).state.messages.length, 2);
});

await play("put and get", async (thread) => {
  const value = {
    at: new Date(0),
    bytes: new Uint8Array([0, 255]),
    nul: "\0",
    sparse: [undefined],
  };
  const checkpoint = {
    v: 4,
    id: "1f000000-0000-6000-8000-000000000000",
    ts: new Date(0).toISOString(),
    channel_values: { value },
    channel_versions: { value: checkpointer.getNextVersion(undefined) },
    versions_seen: {},
  };
  const metadata = { source: "loop", step: 1, parents: {}, mark: "a" };
  const config = await checkpointer.put(thread, checkpoint, metadata, checkpoint.channel_versions);
  await checkpointer.putWrites(config, [["value", value]], "task", "path");
  const found = await checkpointer.getTuple(thread);
  deepStrictEqual(found.checkpoint, checkpoint);
  deepStrictEqual(found.pendingWrites, [["task", "value", value]]);
  const listed = [];
  for await (const { config } of checkpointer.list({}, { filter: { mark: "a" } })) {
    listed.push(config.configurable.thread_id);
  }
  deepStrictEqual(listed, [thread.configurable.thread_id]);
  await checkpointer.deleteThread(thread.configurable.thread_id);
  strictEqual(await checkpointer.getTuple(thread), undefined);
  await rejects(checkpointer.put({}, checkpoint, metadata, {}), { code: "INVALID_CONFIG" });
});

// Newer than the oldest LangGraph that may be used.
if (langgraph.DeltaChannel) {
  await play("delta channel", async (thread) => {
    const { Annotation, DeltaChannel } = langgraph;
    const append = (log, writes) => [...log, ...writes.flat()];
    const State = Annotation.Root({
      log: () => new DeltaChannel(append, { snapshotFrequency: 3 }),
    });
    const graph = new StateGraph(State)
      .addNode("a", ({ log }) => ({ log: [`a${log.length}`] }))
      .addNode("b", ({ log }) => ({ log: [`b${log.length}`] }))
      .addEdge(START, "a")
      .addEdge("a", "b")
      .compile({ checkpointer });
    for (let turn = 0; turn < 3; turn += 1) await graph.invoke({ log: ["in"] }, thread);
    deepStrictEqual((await graph.getState(thread)).values.log, [
      ...["in", "a1", "b2"],
      ...["in", "a4", "b5"],
      ...["in", "a7", "b8"],
    ]);
  });
}

const version = (name) =>
  `${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version}`;
await store.close();
const names = [
  "@langchain/langgraph",
  "@langchain/langgraph-checkpoint",
  "@langchain/core",
  "pg",
  "@electric-sql/pglite",
];
process.stdout.write(`${names.map(version).join(", ")}\n`);
process.stdout.write(`held: ${played.join(", ")}\n`);
