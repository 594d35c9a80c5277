import { randomUUID } from "node:crypto";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { acquireThread } from "../../src/threads/lease.ts";
import { type OpenBackend, servers } from "../support/backends.ts";

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

/** A graph of two steps; the first waits for `gate` where one is given. */
function graphOn(checkpointer: PostgresSaver, name: string, gate?: () => Promise<void>) {
  return new StateGraph(State)
    .addNode("first", async () => {
      await gate?.();
      return { log: [`${name} first`] };
    })
    .addNode("second", () => ({ log: [`${name} second`] }))
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", END)
    .compile({ checkpointer });
}

describe.each(servers)("two runs of one thread on $name", (backend) => {
  let open: OpenBackend;
  let settings: { schema: string };
  beforeAll(async () => {
    open = await backend.open();
    settings = { schema: open.schema };
    await new PostgresSaver(open.pool, undefined, settings).setup();
  });
  afterAll(() => open.close());
  const saver = (conflicts: "branch" | "detect") =>
    new PostgresSaver(open.pool, undefined, { ...settings, conflicts });

  /** One run stops in its first step until another has gone through. */
  const overtaken = async (conflicts: "branch" | "detect") => {
    const config = { configurable: { thread_id: randomUUID() } };
    await graphOn(saver(conflicts), "zero").invoke({ log: ["start"] }, config);
    let arrived = (): void => {};
    const inFirst = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let goOn = (): void => {};
    const gate = () => {
      arrived();
      return new Promise<void>((resolve) => {
        goOn = resolve;
      });
    };
    // Stored before its first step begins, so that it is always the slow one that is overtaken.
    const slow = graphOn(saver(conflicts), "slow", gate).invoke(
      { log: [] },
      { ...config, durability: "sync" },
    );
    const settled = slow.then(
      () => undefined,
      (error: unknown) => error,
    );
    await inFirst;
    await graphOn(saver(conflicts), "quick").invoke({ log: [] }, config);
    goOn();
    const state = await settled.then(() => graphOn(saver("branch"), "look").getState(config));
    return { error: await settled, log: state.values.log as string[] };
  };

  test('case 25: with conflicts: "detect" the overtaken run fails and what the other wrote stays', async () => {
    const { error, log } = await overtaken("detect");
    expect(error).toMatchObject({ code: "THREAD_CONFLICT" });
    expect(log.at(-1)).toBe("quick second");
  });

  test("without it both go on, as in LangGraph", async () => {
    const { error } = await overtaken("branch");
    expect(error).toBeUndefined();
  });

  test("a fork on purpose, updateState and a retried run are no conflicts", async () => {
    const graph = graphOn(saver("detect"), "run");
    const config = { configurable: { thread_id: randomUUID() } };
    await graph.invoke({ log: ["start"] }, config);
    const history = [];
    for await (const one of graph.getStateHistory(config)) history.push(one);
    const early = history.find((one) => one.next.includes("first"));
    await graph.invoke(null, early?.config ?? config);
    await graph.updateState(config, { log: ["by hand"] });
    await graph.updateState(history.at(-2)?.config ?? config, { log: ["in the past"] }, "first");
    await graph.invoke({ log: ["again"] }, config);
    expect((await graph.getState(config)).values.log.at(-1)).toBe("run second");
  });

  test("a run that holds a lease goes through; one whose lease is gone changes nothing", async () => {
    const storage = openStorage({ pool: open.pool, owned: false, settings });
    const graph = graphOn(new PostgresSaver(storage), "leased");
    const lease = await acquireThread(storage, randomUUID());
    await graph.invoke({ log: ["start"] }, lease.config);
    const config = { configurable: { thread_id: lease.threadId } };
    const before = await graph.getState(config);
    expect(before.values.log).toEqual(["start", "leased first", "leased second"]);
    await lease.release();
    await expect(graph.invoke({ log: ["late"] }, lease.config)).rejects.toMatchObject({
      code: "THREAD_CONFLICT",
    });
    expect((await graph.getState(config)).config).toEqual(before.config);
  });
});
