/** A thread belongs to the database, not to the process that began it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Command, MemorySaver } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embedded, PostgresSaver } from "../../src/index.ts";
import { backends, newest, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import type { Order, Report } from "./agent-process.ts";
import { agentGraph } from "./graphs/agent.ts";
import { chatGraph, texts } from "./graphs/chat.ts";
import { picture } from "./picture.ts";

const script = fileURLToPath(new URL("agent-process.ts", import.meta.url));

async function inChildProcess(order: Order): Promise<Report> {
  const args = ["--import", "tsx", script, JSON.stringify(order)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Report;
}

/** The same two runs in one process and in memory: what the thread must look like in the end. */
async function expected(thread: string): Promise<unknown> {
  const checkpointer = new MemorySaver();
  const graph = agentGraph({ checkpointer });
  const config = { configurable: { thread_id: thread } };
  await graph.invoke({ messages: ["refund order 8"] }, config);
  await graph.invoke(new Command({ resume: "yes" }), config);
  return picture(graph, checkpointer, thread);
}

async function begunAndFinished(order: Order): Promise<void> {
  const first = await inChildProcess(order);
  const second = await inChildProcess({ ...order, answer: "yes" });
  expect(second.pid).not.toBe(first.pid);
  expect(first.next).toEqual(["approve"]);
  expect(first.ran).toEqual(["model", "tools", "model", "tools", "model", "approve"]);
  expect(second.ran).toEqual(["approve", "tools", "model"]);
  expect(second.texts.at(-1)).toBe("All done.");
  expect(second.next).toEqual([]);
}

describe("two processes", () => {
  test("a server: one begins a thread, another finishes it, a third reads it", async () => {
    const open = await openSaver(newest);
    try {
      const { connString = "", schema } = open;
      await begunAndFinished({ connString, schema, thread: "42" });
      const graph = agentGraph({ checkpointer: open.saver });
      expect(await picture(graph, open.saver, "42")).toStrictEqual(await expected("42"));
    } finally {
      await open.close();
    }
  }, 90_000);

  test("an embedded database: the same, one process after the other", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "langgraph-postgres-"));
    try {
      await begunAndFinished({ dataDir, schema: "langgraph", thread: "42" });
      const pool = await embedded(dataDir);
      const saver = new PostgresSaver(pool, undefined, { schema: "langgraph" });
      const graph = agentGraph({ checkpointer: saver });
      expect(await picture(graph, saver, "42")).toStrictEqual(await expected("42"));
      await pool.end();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  }, 90_000);
});

describe.each(backends)("two savers on $name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend);
  });
  afterAll(() => open.close());

  test("they take turns on one thread, each with what it remembers of it", async () => {
    const config = { configurable: { thread_id: "in turns" } };
    const graphs = [open.saver, open.fresh()].map((checkpointer) => chatGraph({ checkpointer }));
    const said: string[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      // Long enough to be stored as chunks, so that each saver needs chunks that the other wrote.
      const question = `question ${turn} ${"words and more words ".repeat(40)}`;
      said.push(question, `answer ${said.length + 1}`);
      const state = await graphs[turn % 2]?.invoke({ messages: [question] }, config);
      expect(texts(state ?? {})).toEqual(said);
    }
    expect(texts((await graphs[0]?.getState(config))?.values ?? {})).toEqual(said);
  });

  test("a thread deleted by one and begun anew by the other is a new thread for both", async () => {
    const config = { configurable: { thread_id: "again" } };
    const other = open.fresh();
    const question = "the very same question ".repeat(60);
    await chatGraph({ checkpointer: open.saver }).invoke({ messages: [question] }, config);
    await other.deleteThread("again");
    await chatGraph({ checkpointer: other }).invoke({ messages: [question] }, config);
    const state = await chatGraph({ checkpointer: open.saver }).invoke(
      { messages: [question] },
      config,
    );
    expect(texts(state)).toEqual([question, "answer 1", question, "answer 3"]);
  });
});
