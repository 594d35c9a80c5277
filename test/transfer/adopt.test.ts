/** Threads of the official package go on here from their first use, with nothing stopped and nothing imported before. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, inject, test } from "vitest";
import { createPool, PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import { adoptThread } from "../../src/langgraph/adopt.ts";
import { openOfficial } from "../../src/langgraph/official-source.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { picture } from "../langgraph/picture.ts";
import { expectTidy } from "../retention/store.ts";
import { eventually } from "../support/wait.ts";
import { adoptingFrom, useOfficial } from "./official.ts";
import { configOf, KINDS, kindOf, makeThreads } from "./official-threads.ts";

const EMPTY = { checkpoints: 0, writes: 0, values: 0, chunks: 0 };

describe("a service whose import is swapped", () => {
  const at = useOfficial();

  /** Its threads are adopted, and it knows nothing yet. */
  const swapped = () => adoptingFrom(at.store, at.source);
  const begin = (id: string, topic = "a") =>
    stepsGraph({ checkpointer: at.source.saver }).invoke({ topic }, configOf(id));
  const script = fileURLToPath(new URL("adopt-process.ts", import.meta.url));
  const order = (threads: [number, string][]): string[] => [
    "--import",
    "tsx",
    script,
    JSON.stringify({
      connString: inject("postgres")["18"],
      schema: at.store.storage.names.schemaName,
      from: at.source.schema,
      threads,
    }),
  ];

  test("conversations of every kind go on in two processes while an old one runs others", async () => {
    const ids = await makeThreads(at.source.saver, KINDS.length);
    const others = ["old 1", "old 2", "old 3"];
    const numbered = ids.map((id, i): [number, string] => [i, id]);
    const halves = [numbered.filter(([i]) => i % 2 === 0), numbered.filter(([i]) => i % 2 === 1)];
    const run = promisify(execFile);
    let running = true;
    const old = (async () => {
      for (let i = 0; running; i += 1) await begin(others[i % others.length] as string, String(i));
    })();
    const printed = await Promise.all(halves.map((half) => run(process.execPath, order(half))));
    running = false;
    await old;
    const results = new Map(
      printed
        .flatMap(({ stdout }) => stdout.trim().split("\n"))
        .map((line) => JSON.parse(line) as { id: string; result: unknown })
        .map(({ id, result }) => [id, result]),
    );
    expect(results.size).toBe(ids.length);
    for (const [place, id] of numbered) {
      const there = await kindOf(place).finish(at.source.saver, configOf(id));
      expect(results.get(id), id).toEqual(JSON.parse(JSON.stringify(there)));
    }
    const here = await at.store.sql<{ id: string }>(
      "SELECT thread_id AS id FROM :schema.checkpoints_threads ORDER BY 1",
    );
    expect(here.map(({ id }) => id)).toEqual([...ids].sort());
    await expectTidy(at.store);
  }, 60_000);

  test("a thread is read as it is there, and the source is only read", async () => {
    const ids = KINDS.map(({ name }) => `${name} to be read`);
    for (const [i, id] of ids.entries()) await kindOf(i).begin(at.source.saver, configOf(id));
    const before = await at.source.contents();
    const here = new PostgresSaver(swapped());
    const graph = stepsGraph({ checkpointer: new MemorySaver() });
    for (const id of ids) {
      expect(await picture(graph, here, id), id).toStrictEqual(
        await picture(graph, at.source.saver, id),
      );
    }
    expect(await at.source.contents()).toEqual(before);
  }, 30_000);

  test("8 adopters at once: one copies, the others wait and see it", async () => {
    const id = "crowd";
    const chat = chatGraph({ checkpointer: at.source.saver });
    for (let turn = 0; turn < 8; turn += 1)
      await chat.invoke({ messages: [`${turn}`] }, configOf(id));
    const there = await at.source.saver.getTuple(configOf(id));
    const storages = Array.from({ length: 8 }, swapped);
    const found = await Promise.all(
      storages.map((storage) => new PostgresSaver(storage).getTuple(configOf(id))),
    );
    for (const one of found) expect(one?.checkpoint.id).toBe(there?.checkpoint.id);
    expect(storages.filter(({ traffic }) => traffic.bytesStored > 0)).toHaveLength(1);
    expect((await at.store.rows(id)).checkpoints).toBe(
      await countOf(at.source.saver.list(configOf(id))),
    );
  });

  test("killed in the middle, nothing of the thread is here, and the next one copies it", async () => {
    const interview = KINDS.findIndex(({ name }) => name === "interview");
    const id = "killed";
    await kindOf(interview).begin(at.source.saver, configOf(id));
    const pool = createPool({ connString: inject("postgres")["18"], maxConns: 1 });
    const blocker = await pool.connect();
    try {
      // The checkpoint is put before its pending writes, which have to wait.
      await blocker.query({ text: "BEGIN" });
      await blocker.query({ text: `LOCK TABLE ${at.store.storage.names.writes} IN SHARE MODE` });
      const child = spawn(process.execPath, order([[interview, id]]), { stdio: "ignore" });
      const waiting = `SELECT pid FROM pg_locks WHERE NOT granted AND relation = '${at.store.storage.names.writes}'::regclass`;
      await eventually("it waits", async () => (await at.store.sql(waiting)).length > 0);
      child.kill("SIGKILL");
      await once(child, "exit");
      await blocker.query({ text: "COMMIT" });
      await eventually("it is gone", async () => (await at.store.sql(waiting)).length === 0);
    } finally {
      blocker.release();
      await pool.end();
    }
    expect(await at.store.rows(id)).toEqual(EMPTY);
    expect(
      await at.store.sql("SELECT FROM :schema.checkpoints_adoptions WHERE thread_id = $1", [id]),
    ).toEqual([]);
    const here = await kindOf(interview).finish(new PostgresSaver(swapped()), configOf(id));
    expect(here).toEqual(await kindOf(interview).finish(at.source.saver, configOf(id)));
  }, 60_000);

  test("what an old process adds while a thread is copied comes over too", async () => {
    const id = "moving";
    await begin(id);
    const storage = swapped();
    let runs = 0;
    const { writerIn } = storage;
    Object.assign(storage, {
      writerIn: (...where: Parameters<typeof writerIn>) => {
        const writer = writerIn(...where);
        return {
          ...writer,
          put: async (...args: Parameters<typeof writer.put>) => {
            await writer.put(...args);
            runs += 1;
            if (runs === 2) await begin(id, "b");
          },
        };
      },
    });
    const adopted = await adoptThread(
      storage,
      await openOfficial(storage.database, at.source.schema),
      id,
    );
    expect(adopted).toMatchObject({ state: "copied" });
    const graph = stepsGraph({ checkpointer: new MemorySaver() });
    expect(await picture(graph, at.store.saver, id)).toStrictEqual(
      await picture(graph, at.source.saver, id),
    );
  });

  test("it costs one look for each thread and process, and none where it is not asked for", async () => {
    await begin("there");
    const storage = swapped();
    const saver = new PostgresSaver(storage);
    const cost = async (id: string): Promise<number> => {
      const before = storage.database.counters.statements;
      await saver.getTuple(configOf(id));
      return storage.database.counters.statements - before;
    };
    await cost("warm up");
    const plain = at.store.fresh();
    const before = plain.database.counters.statements;
    await new PostgresSaver(plain).getTuple(configOf("nobody's"));
    expect(plain.database.counters.statements - before).toBe(1);
    expect(await cost("nobody's")).toBe(2);
    expect(await cost("nobody's")).toBe(1);
    expect(await cost("there")).toBeGreaterThan(5);
    expect(await cost("there")).toBe(1);
    // Another process finds it here.
    const other = swapped();
    await new PostgresSaver(other).getTuple(configOf("warm up"));
    const then = other.database.counters.statements;
    await new PostgresSaver(other).getTuple(configOf("there"));
    expect(other.database.counters.statements - then).toBeLessThanOrEqual(3);
  });

  test("the record face, copies, leases and transactions see it too", async () => {
    const names = ["by list", "latest", "by page", "info", "from", "to", "tx", "batch", "lease"];
    for (const id of names) await begin(id);
    const count = await countOf(at.source.saver.list(configOf("info")));
    await using records = PostgresCheckpointStore.fromPool(at.store.storage.database.pool, {
      schema: at.store.storage.names.schemaName,
      adopt: { schema: at.source.schema },
    });
    expect(await records.listByThread("by list")).toHaveLength(count);
    expect(await records.getLatestByThread("latest")).toBeDefined();
    expect((await records.listWithOptions({ threadId: "by page" })).total).toBe(count);
    expect((await records.getThread("info"))?.checkpoints).toBe(count);
    await expect(records.copyThread("from", "to")).rejects.toMatchObject({ code: "THREAD_EXISTS" });
    expect((await records.copyThread("from", "a copy"))?.checkpoints).toBe(count);
    const record = { id: "1", state: { done: true } };
    await records.transaction((tx) => tx.save({ ...record, threadId: "tx" }));
    await records.saveBatch([{ ...record, threadId: "batch" }]);
    await (await records.acquireThread("lease")).release();
    for (const id of ["tx", "batch", "lease"]) {
      const saver = new PostgresSaver(at.store.fresh());
      expect(await countOf(saver.list(configOf(id))), id).toBe(count);
    }
    // A transaction that is rolled back has adopted nothing, and nothing is remembered of it.
    await begin("undone");
    await expect(
      records.transaction(async (tx) => {
        await tx.save({ ...record, threadId: "undone" });
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await at.store.rows("undone")).toEqual(EMPTY);
    expect(await records.getLatestByThread("undone")).toBeDefined();
  });

  test("import finishes the rest, and passes over what was adopted and went on", async () => {
    const ids = ["rest 1", "rest 2", "rest 3"];
    for (const id of ids) await begin(id);
    await stepsGraph({ checkpointer: new PostgresSaver(swapped()) }).invoke(
      { topic: "b" },
      configOf("rest 1"),
    );
    const before = await at.store.rows("rest 1");
    const report = await importOfficial(at.store.storage, {
      schema: at.source.schema,
      threads: ids,
    });
    expect(report).toMatchObject({ threads: 2, unchanged: 1, diverged: [], refused: [] });
    expect(await at.store.rows("rest 1")).toEqual(before);
  });

  test("a role that may only SELECT there is enough", async () => {
    await begin("least");
    const { schemaName } = at.store.storage.names;
    const role = `adopter_${schemaName}`;
    await at.store.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    const url = new URL(inject("postgres")["18"]);
    url.username = role;
    url.password = "pw";
    const pool = createPool({ connString: url.href, maxConns: 2 });
    try {
      for (const schema of [schemaName, at.source.schema]) {
        await at.store.sql(`GRANT USAGE ON SCHEMA "${schema}" TO ${role}`);
      }
      await at.store.sql(
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schemaName}" TO ${role}`,
      );
      await at.store.sql(`GRANT SELECT ON ALL TABLES IN SCHEMA "${at.source.schema}" TO ${role}`);
      const saver = new PostgresSaver(pool, undefined, {
        schema: schemaName,
        adopt: { schema: at.source.schema },
      });
      const { log } = await stepsGraph({ checkpointer: saver }).invoke(
        { topic: "b" },
        configOf("least"),
      );
      expect((log as string[])[0]).toBe("one(a)");
      await saver.deleteThread("least");
    } finally {
      await pool.end();
      await at.store.sql(`DROP OWNED BY ${role}`);
      await at.store.sql(`DROP ROLE ${role}`);
    }
  });

  test("what cannot be adopted is an error that names it, each time", async () => {
    for (const id of ["msgpack", "fine"]) await begin(id);
    await at.store.sql(
      `UPDATE "${at.source.schema}".checkpoint_blobs SET type = 'msgpack' WHERE thread_id = 'msgpack' AND channel = 'log'`,
    );
    const saver = new PostgresSaver(swapped());
    for (let i = 0; i < 2; i += 1) {
      await expect(saver.getTuple(configOf("msgpack"))).rejects.toMatchObject({
        code: "INVALID_SOURCE",
        message: expect.stringMatching(/"msgpack", channel "log" is of type "msgpack"/),
      });
    }
    expect(await saver.getTuple(configOf("fine"))).toBeDefined();
    expect(await at.store.rows("msgpack")).toEqual(EMPTY);
    const nowhere = new PostgresSaver(adoptingFrom(at.store, { schema: "nowhere" }));
    await expect(nowhere.getTuple(configOf("fine"))).rejects.toMatchObject({
      code: "INVALID_SOURCE",
    });
    await expect(nowhere.getTuple(configOf(""))).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    for (const adopt of ["public", { shema: "public" }, { schema: "" }]) {
      const settings = { adopt } as never;
      expect(() => new PostgresSaver(at.store.storage.database.pool, undefined, settings)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION" }),
      );
    }
  });
});

async function countOf(list: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of list) count += 1;
  return count;
}
