/** Each command on a real server, through the built binary. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PostgresCheckpointStore, PostgresSaver } from "../../src/index.ts";
import { under } from "../encryption/material.ts";
import { chatGraph, texts } from "../langgraph/graphs/chat.ts";
import { interviewGraph } from "../langgraph/graphs/interrupts.ts";
import { stepsGraph } from "../langgraph/graphs/steps.ts";
import { type OpenStore, openStore } from "../retention/store.ts";
import { backends } from "../support/backends.ts";
import { configOf, makeThreads, OfficialSaver } from "../transfer/official-threads.ts";
import { type Binary, buildBinary, normalised, type Ran } from "./binary.ts";

let binary: Binary;
let store: OpenStore;
let schema: string;
let folder: string;
let secret: string;

/** Runs a command on the store of these tests. */
const cli = (...args: string[]): Promise<Ran> =>
  binary.run([...args, "--schema", schema], { env: { DATABASE_URL: inject("postgres")["18"] } });
/** The same; it must succeed, and its output is compared. */
async function text(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return normalised(stdout);
}
async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

beforeAll(async () => {
  binary = buildBinary();
  store = await openStore(backends.find(({ name }) => name === "postgres-18") as never);
  schema = store.storage.names.schemaName;
  folder = await mkdtemp(join(tmpdir(), "cli-"));
  secret = decodeURIComponent(new URL(inject("postgres")["18"]).password);
}, 120_000);
afterAll(async () => {
  await store?.close();
  await rm(folder, { recursive: true, force: true });
  binary?.remove();
});

describe("an encrypted store", () => {
  const hex = under(["a", "b"]).encryption.keys.map(
    ({ id, key }) => `${id}:${key.toString("hex")}`,
  );
  const run = (keys: string, ...args: string[]): Promise<Ran> =>
    binary.run([...args, "--schema", schema, "--table", "sealed"], {
      env: {
        DATABASE_URL: inject("postgres")["18"],
        LANGGRAPH_POSTGRES_KEYS: keys,
        LANGGRAPH_POSTGRES_PLAIN_METADATA: "source",
      },
    });
  beforeAll(async () => {
    const settings = { ...under(["a"]), tableName: "sealed", autoMigrate: true };
    const saver = new PostgresSaver(store.another(settings));
    await stepsGraph({ checkpointer: saver }).invoke({ topic: "tea" }, configOf("sealed"));
    const clear = { tableName: "sealed", encryption: undefined } as never;
    const plain = new PostgresSaver(store.another(clear));
    await stepsGraph({ checkpointer: plain }).invoke({ topic: "ink" }, configOf("clear"));
  });

  test("is shown and exported with its key, and not without", async () => {
    expect((await run(hex[0] ?? "", "show", "sealed")).stdout).toContain("tea");
    for (const keys of ["", hex[1] ?? ""]) {
      const { code, stdout, stderr } = await run(keys, "show", "sealed");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/DECRYPTION_FAILED[\s\S]*LANGGRAPH_POSTGRES_KEYS="id:base64/);
    }
    const sealed = await run("", "export", "-", "--thread", "sealed");
    expect(sealed).toMatchObject({ code: 0 });
    expect(sealed.stdout).not.toContain("tea");
    const decrypted = await run(hex[0] ?? "", "export", "-", "--thread", "sealed", "--decrypt");
    expect(decrypted.stdout).toContain("tea");
    const broken = await run("a", "show", "sealed");
    expect(broken.stderr).toMatch(/LANGGRAPH_POSTGRES_KEYS must be ids and keys/);
  });

  test("is rewritten under a new key", async () => {
    const [a = "", b = ""] = hex;
    const refused = await run(`${b},${a}`, "reencrypt");
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(/of 1 thread; 0 threads needed nothing\.\nrefused: clear: /);
    const done = await run(`${b},${a}`, "reencrypt", "--allow-plaintext");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/^Rewrote \d+ rows of 1 thread; 1 thread needed nothing\.\n$/);
    for (const [thread, topic] of [
      ["sealed", "tea"],
      ["clear", "ink"],
    ] as const) {
      expect((await run(b, "show", thread)).stdout).toContain(topic);
    }
  });
});

describe("help", () => {
  test("of every command has an example, and none has changed unseen", async () => {
    const { stdout } = await binary.run(["--help"]);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) .*/gm)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "help");
    expect(names).toEqual([
      "migrate",
      "status",
      "doctor",
      "threads",
      "history",
      "show",
      "diff",
      "prune",
      "cleanup",
      "delete",
      "copy",
      "import",
      "export",
      "reencrypt",
      "stats",
    ]);
    const pages = await Promise.all(
      names.map(async (name) => (await binary.run([name, "--help"])).stdout),
    );
    for (const page of pages) expect(page).toMatch(/Examples?:\n {2}\$ langgraph-postgres/);
    const own = pages.map((page) =>
      page.replace(/\nGlobal Options:[\s\S]*?\n\n/, "\n(global options)\n\n"),
    );
    await expect([stdout, ...own].join("\n----------\n")).toMatchFileSnapshot("help.txt");
  }, 60_000);
});

describe("looking", () => {
  let forkedAt: string;
  let ids: string[];
  beforeAll(async () => {
    const steps = stepsGraph({ checkpointer: store.saver });
    await steps.invoke({ topic: "tea" }, configOf("forked"));
    for await (const { next, config } of steps.getStateHistory(configOf("forked"))) {
      if (!next.includes("two")) continue;
      forkedAt = config.configurable?.checkpoint_id;
      await steps.invoke(null, await steps.updateState(config, { topic: "ink" }));
      break;
    }
    await interviewGraph({ checkpointer: store.saver }).invoke({}, configOf("asked"));
    const history = await json<{ checkpointId: string }[]>("history", "forked");
    ids = history.map(({ checkpointId }) => checkpointId);
  });

  test("threads", async () => {
    expect(await text("threads")).toMatchInlineSnapshot(`
      "thread  updated              checkpoints  writes  size     newest checkpoint
      asked   <time>            3       4 <size>  <id 1>
      forked  <time>            8      10 <size>  <id 2>
      "
    `);
    const page = await json<{ threads: { threadId: string }[]; nextCursor: string }>(
      "threads",
      "--limit",
      "1",
    );
    expect(page.threads.map(({ threadId }) => threadId)).toEqual(["asked"]);
    const next = await json<{ threads: { threadId: string }[] }>(
      "threads",
      "--limit",
      "1",
      "--cursor",
      page.nextCursor,
    );
    expect(next.threads.map(({ threadId }) => threadId)).toEqual(["forked"]);
    expect(await text("threads", "--updated-after", "2100-01-01")).toBe("No threads.\n");
  });

  test("history draws the forks", async () => {
    expect(await text("history", "forked")).toMatchInlineSnapshot(`
      "root graph: 8 checkpoints
      ● <id 1>  <time>  step -1 input  2 pending writes
      ● <id 2>  <time>  step 0 loop  2 pending writes
      ● <id 3>  <time>  step 1 loop  2 pending writes
      ├─● <id 4>  <time>  step 2 loop  1 pending write
      │ ● <id 5>  <time>  step 3 loop
      ● <id 6>  <time>  step 2 update  2 pending writes
      ● <id 7>  <time>  step 3 loop  1 pending write
      ● <id 8>  <time>  step 4 loop  ← latest
      "
    `);
    expect(await text("history", "asked")).toMatchInlineSnapshot(`
      "root graph: 3 checkpoints
      ● <id 1>  <time>  step -1 input  1 pending write
      ● <id 2>  <time>  step 0 loop  2 pending writes
      ● <id 3>  <time>  step 1 loop  1 interrupt  1 pending write  ← latest
      "
    `);
    expect((await text("history", "forked", "--limit", "2")).split("\n")).toHaveLength(4);
  });

  test("history of records says their versions", async () => {
    const records = PostgresCheckpointStore.fromPool(store.storage.database.pool, { schema });
    await records.save({ id: "plan", threadId: "orders", state: {} });
    const metadata = { step: 3 };
    await records.save({ id: "paid", threadId: "orders", state: {}, version: 7, metadata });
    const shown = await text("history", "orders");
    expect(shown).toMatch(/^namespace @records: 2 checkpoints$/m);
    expect(shown).toMatch(/^● plan .* version 1$/m);
    expect(shown).toMatch(/^● paid .* version 7 .*latest$/m);
    expect(await json("history", "orders")).toMatchObject([{ version: 1 }, { version: 7 }]);
    await records.deleteThread("orders");
    await records.close();
  });

  test("show", async () => {
    expect(await text("show", "forked")).toMatchInlineSnapshot(`
      "checkpoint <id 1>
      parent     <id 2>
      created    <time>
      metadata   {"source":"loop","step":4,"parents":{}}
      topic version <version>
        "ink"
      log version <version>
        [
          "one(tea)",
          "two(ink)",
          "three(ink)"
        ]
      "
    `);
    const shown = await json<{ values: object; pendingWrites: { channel: string }[] }>(
      "show",
      "asked",
    );
    expect(shown.values).toMatchObject({ topic: "tea" });
    expect(shown.pendingWrites.map(({ channel }) => channel)).toContain("__interrupt__");
    expect(await text("show", "forked", forkedAt)).toMatch(
      /log .*\n {2}\[\n {4}"one\(tea\)"\n {2}\]/,
    );
  });

  test("diff", async () => {
    const [first = "", last = ""] = [forkedAt, ids.at(-1)];
    const changed = await text("diff", "forked", first, last);
    expect(changed).toContain('- topic: "tea"\n+ topic: "ink"');
    expect(changed).toContain('+ log[1]: "two(ink)"');
    const coloured = await binary.run(["diff", "forked", first, last, "--schema", schema], {
      env: { DATABASE_URL: inject("postgres")["18"], FORCE_COLOR: "1" },
    });
    expect(coloured.stdout).toContain('\u001b[32m+ topic: "ink"\u001b[0m');
    expect(await text("diff", "forked", last, last)).toBe("No difference.\n");
  });

  test("status and stats", async () => {
    expect(await text("status")).toMatchInlineSnapshot(`
      "tables      "<schema>"."checkpoints"
      version     7 of 7
      threads     2
      checkpoints 11
      size <size>
      expired     0 threads, 0 checkpoints to be cleaned up
      "
    `);
    const found = await json<{ tables: { table: string; rows: number }[] }>("stats");
    expect(found.tables.find(({ table }) => table === "threads")?.rows).toBe(2);
    expect(await text("stats")).toMatch(/table +rows +dead +size[\s\S]*threads +2/);
  });
});

describe("removing", () => {
  const left = async () =>
    (await json<{ threads: { threadId: string }[] }>("threads")).threads.map(
      ({ threadId }) => threadId,
    );
  beforeAll(async () => {
    const graph = chatGraph({ checkpointer: store.saver });
    for (const id of ["old", "new", "gone"])
      for (const turn of [1, 2, 3]) await graph.invoke({ messages: [`${turn}`] }, configOf(id));
  });

  test("nothing goes without a yes", async () => {
    for (const args of [
      ["prune", "--all", "--keep-last", "1"],
      ["delete", "gone"],
    ]) {
      const { code, stdout, stderr } = await cli(...args);
      expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
      expect(stderr).toMatch(/This (removes|deletes) .*\d+ .*checkpoint.* Pass --yes/);
    }
    expect(await left()).toContain("gone");
  });

  test("prune counts what it then removes", async () => {
    const args = ["prune", "--thread", "old", "--keep-last", "2"];
    const would = await json("prune", "--thread", "old", "--keep-last", "2", "--dry-run");
    expect(would).toMatchObject({ dryRun: true, threads: 1, checkpoints: 7 });
    expect(await text(...args, "--yes")).toMatch(/^Removed 7 checkpoints of 1 thread, with/);
    expect(await text(...args, "--yes")).toBe("Nothing to remove.\n");
    const { messages } = await chatGraph({
      checkpointer: new PostgresSaver(store.another()),
    }).invoke({ messages: ["4"] }, configOf("old"));
    expect(texts({ messages })).toHaveLength(8);
  });

  test("delete threads, and runs", async () => {
    expect(await json("delete", "gone", "--yes")).toMatchObject({ threads: 1, checkpoints: 9 });
    expect(await left()).not.toContain("gone");
    const steps = stepsGraph({ checkpointer: store.saver });
    await steps.invoke({ topic: "a" }, {
      configurable: { thread_id: "run", run_id: "r1" },
    } as never);
    expect(await text("delete", "--run", "r1", "--yes")).toMatch(
      /^Deleted \d checkpoints of 1 thread/,
    );
    expect(await left()).not.toContain("run");
  });

  test("cleanup", async () => {
    await store.sql(
      "UPDATE :schema.checkpoints_threads SET expires_at = now() - interval '1 day' WHERE thread_id = 'new'",
    );
    expect((await cli("cleanup")).code).toBe(5);
    expect(await text("cleanup", "--yes")).toBe("Removed 1 thread and 9 checkpoints.\n");
    expect(await text("cleanup")).toBe("Removed 0 threads and 0 checkpoints.\n");
  });
});

describe("moving", () => {
  test("copy", async () => {
    expect(await text("copy", "forked", "twin")).toBe("Copied 8 checkpoints: <size>.\n");
    const { code, stderr } = await cli("copy", "forked", "twin");
    expect(code).toBe(1);
    expect(stderr).toContain("(THREAD_EXISTS)");
  });

  test("export and import", async () => {
    const file = join(folder, "all.jsonl.gz");
    expect(await text("export", file)).toMatch(/^Exported \d+ threads with \d+ checkpoints\.\n$/);
    const target = `${schema}_2`;
    const there = (...args: string[]) =>
      binary.run([...args, "--schema", target], {
        env: { DATABASE_URL: inject("postgres")["18"] },
      });
    try {
      expect((await there("import", file)).stderr).toContain("langgraph-postgres migrate");
      const dry = await there("migrate", "--dry-run");
      expect(dry.stdout).toMatch(
        /^CREATE SCHEMA "test_\w+";\n\nCREATE TABLE[\s\S]*INSERT INTO .* VALUES \(1, 'tables'\);/,
      );
      expect((await there("status")).code).toBe(4);
      const migrated = await there("migrate");
      expect(migrated.stdout).toMatch(/^\+ 1 tables\n[\s\S]* is at version \d+\.\n$/);
      expect((await there("migrate")).stdout).toMatch(/nothing was to be done/);
      expect((await there("import", file)).stdout).toMatch(/^Imported \d+ threads with/);
      expect(await there("import", file)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("--if-exists skip"),
      });
      expect((await there("import", file, "--if-exists", "skip")).stdout).toMatch(
        /^Imported 0 threads .*; skipped \d+/,
      );
      const out = await cli("export", "-", "--thread", "forked");
      expect(out.stderr).toBe("Exported 1 thread with 8 checkpoints.\n");
      expect(out.stdout.split("\n")[0]).toBe('{"format":"langgraph-postgres export","version":1}');
      const options = { env: { DATABASE_URL: inject("postgres")["18"] }, input: out.stdout };
      const back = await binary.run(
        ["import", "-", "--if-exists", "replace", "--schema", target],
        options,
      );
      expect(back.stdout).toBe("Imported 1 thread with 8 checkpoints.\n");
      const refused = await there("migrate", "--to", "0", "--yes");
      expect(refused).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("--allow-data-loss"),
      });
      expect((await there("migrate", "--to", "0", "--yes", "--allow-data-loss")).code).toBe(0);
    } finally {
      await store.sql(`DROP SCHEMA IF EXISTS "${target}" CASCADE`);
    }
  }, 60_000);

  test("import of official threads; Ctrl-C ends it at a clean point, and the same command goes on", async () => {
    const official = `${schema}_official`;
    const { pool } = store.storage.database;
    const saver = new OfficialSaver(pool as pg.Pool, undefined, { schema: official });
    try {
      await saver.setup();
      const ids = await makeThreads(saver, 40);
      const args = ["import", "--from-schema", official, "--parallel", "1", "--schema", schema];
      const child = spawn(process.execPath, [binary.main, ...args], {
        env: { ...process.env, DATABASE_URL: inject("postgres")["18"] },
      });
      let stderr = "";
      child.stderr.on("data", (data) => {
        stderr += data;
      });
      await expect
        .poll(
          async () =>
            (
              await store.sql(
                "SELECT 1 FROM :schema.checkpoints_threads WHERE thread_id LIKE '% 00%'",
              )
            ).length,
          { timeout: 20_000, interval: 10 },
        )
        .toBeGreaterThan(2);
      child.kill("SIGINT");
      await once(child, "exit");
      expect(child.exitCode).toBe(130);
      expect(stderr).toContain("stopped at a clean point. To go on, run the same command again");
      const report = await json<{ threads: number; unchanged: number }>(...args.slice(0, 5));
      expect(report).toMatchObject({ diverged: [], refused: [] });
      expect(report.threads + report.unchanged).toBe(ids.length);
      expect(report.threads).toBeGreaterThan(0);
      expect(report.unchanged).toBeGreaterThan(0);

      // A thread that goes on at both sides is named, until somebody says which one stays.
      const id = ids[1] as string;
      for (const checkpointer of [store.saver, saver]) {
        await stepsGraph({ checkpointer }).invoke({ topic: "both" }, configOf(id));
      }
      const from = args.slice(0, 3);
      const named = await cli(...from);
      expect(named.stdout).toContain(`left alone: ${id} changed there`);
      expect(named).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("1 thread could not"),
      });
      const settle = [...from, "--thread", id, "--settle", "there"];
      const unsure = await cli(...settle);
      expect(unsure).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/This deletes \d+ checkpoints of 1 thread here/),
      });
      expect(await text(...settle, "--yes")).toContain("Imported 1 thread");
      expect((await json<{ unchanged: number }>(...from)).unchanged).toBe(ids.length);
      expect(await cli(...from, "--settle", "here")).toMatchObject({ code: 2 });
    } finally {
      await store.sql(`DROP SCHEMA IF EXISTS "${official}" CASCADE`);
    }
  }, 60_000);
});

describe("doctor", () => {
  test("finds nothing wrong where nothing is", async () => {
    const { stdout, code } = await cli("doctor");
    expect(code).toBe(0);
    expect(normalised(stdout)).toMatchInlineSnapshot(`
      "ok       reachable: answers in <ms>
      ok       server version: PostgreSQL 18.4
      ok       TLS: not encrypted, but the connection does not leave the machine
      ok       rights: all that graphs and migrations need
      ok       schema: as the migrations made it
      ok       indexes: all valid
      ok       pooler: none, or one in session mode
      ok       clock: the same here and there, to 2 s
      ok       isolation: read committed
      warning  TOAST compression: pglz (PostgreSQL 18)
               → lz4 reads and writes large values faster: ALTER SYSTEM SET default_toast_compression = 'lz4', if the server was built with it.
      ok       expired: 0 threads and 0 checkpoints wait to be removed
      "
    `);
  });

  test("says what to do about what is wrong", async () => {
    await store.sql("DROP INDEX :schema.checkpoints_seq_idx");
    await store.sql(
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = 'checkpoints_id_idx' AND relnamespace = $1::regnamespace)",
      [schema],
    );
    try {
      const { stdout, stderr, code } = await cli("doctor", "--json");
      expect({ code, stderr }).toEqual({ code: 4, stderr: "error: 3 problems found.\n" });
      const problems = (
        JSON.parse(stdout) as { state: string; found: string; advice: string }[]
      ).filter(({ state }) => state === "problem");
      expect(problems.map(({ found }) => found).join("\n")).toMatch(
        /index id_idx is INVALID[\s\S]*index seq_idx is missing[\s\S]*INVALID: .*checkpoints_id_idx/,
      );
      expect(problems.every(({ advice }) => advice.length > 10)).toBe(true);
    } finally {
      await store.sql(
        "CREATE INDEX checkpoints_seq_idx ON :schema.checkpoints (thread_id, checkpoint_ns, seq DESC)",
      );
      await store.sql("REINDEX INDEX :schema.checkpoints_id_idx");
    }
  });
});

describe("what goes wrong is one message with its code", () => {
  const cases: [string, () => string[], number, RegExp][] = [
    [
      "an unknown thread",
      () => ["show", "nobody"],
      3,
      /^error: There is no thread "nobody" in .* \(CHECKPOINT_NOT_FOUND\)\n$/,
    ],
    ["an unknown checkpoint", () => ["show", "forked", "ffff"], 3, /no checkpoint "ffff"/],
    ["an unknown thread to delete", () => ["delete", "nobody", "--yes"], 3, /Nothing was deleted/],
    [
      "an unknown thread to export",
      () => ["export", join(folder, "x"), "--thread", "nobody"],
      3,
      /CHECKPOINT_NOT_FOUND/,
    ],
    ["a limit of zero", () => ["threads", "--limit", "0"], 2, /whole number of 1 or more/],
    [
      "to keep zero",
      () => ["prune", "--all", "--keep-last", "0", "--yes"],
      2,
      /whole number of 1 or more/,
    ],
    [
      "to prune nothing in particular",
      () => ["prune", "--keep-last", "1", "--yes"],
      2,
      /INVALID_OPTION/,
    ],
    [
      "a duration that is none",
      () => ["prune", "--older-than", "soon", "--keep-last", "1"],
      2,
      /INVALID_OPTION/,
    ],
    ["an unknown command", () => ["prun"], 2, /Did you mean prune/],
    ["an unknown option", () => ["prune", "--keep", "1"], 2, /unknown option/],
    ["a version to come", () => ["migrate", "--to", "999"], 2, /INVALID_OPTION/],
    [
      "a file that is no export",
      () => ["import", join(folder, "no-export.jsonl")],
      1,
      /INVALID_EXPORT/,
    ],
    [
      "an export of a newer version",
      () => ["import", join(folder, "newer.jsonl")],
      1,
      /EXPORT_TOO_NEW/,
    ],
    [
      "a file that is not there",
      () => ["import", join(folder, "nothing.jsonl")],
      1,
      /nothing\.jsonl: there is no such file or folder \(ENOENT\)/,
    ],
    [
      "tables that are not the official package's",
      () => ["import", "--from-schema", schema],
      1,
      /INVALID_SOURCE/,
    ],
    [
      "a folder that is not there",
      () => ["threads", "--embedded", join(folder, "nowhere")],
      2,
      /There is no folder/,
    ],
    [
      "a server that is not there",
      () => [
        "status",
        "--url",
        `postgresql://u:${encodeURIComponent(secret)}@127.0.0.1:1/x?connect_timeout=1`,
      ],
      6,
      /CONNECTION_FAILED/,
    ],
    [
      "a password that is wrong",
      () => [
        "status",
        "--url",
        inject("postgres")["18"].replace(encodeURIComponent(secret), "wr0ng-pass"),
      ],
      6,
      /28P01/,
    ],
  ];
  beforeAll(async () => {
    await writeFile(join(folder, "no-export.jsonl"), "hello\n");
    await writeFile(
      join(folder, "newer.jsonl"),
      '{"format":"langgraph-postgres export","version":7}\n',
    );
  });
  test.concurrent.each(cases)("%s", async (_, args, code, message) => {
    const ran = await cli(...args());
    expect(ran.stderr).toMatch(message);
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code, stdout: "" });
    expect(ran.stderr).not.toMatch(/\n +at |wr0ng-pass/);
    expect(ran.stderr).not.toContain(secret);
  });

  test("a role without rights", async () => {
    const role = `reader_${schema}`;
    await store.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    try {
      const url = new URL(inject("postgres")["18"]);
      url.username = role;
      url.password = "pw";
      const refused = await cli("threads", "--url", url.href);
      expect(refused).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/42501.*Grant the role the right/),
      });
      const { stdout, code } = await cli("doctor", "--url", url.href);
      expect(code).toBe(4);
      expect(stdout).toMatch(
        /PROBLEM {2}rights: schema .* may not be used\n +→ .*GRANT USAGE ON SCHEMA/,
      );
    } finally {
      await store.sql(`DROP ROLE ${role}`);
    }
  });
});

test("an embedded database", async () => {
  const data = join(folder, "embedded");
  expect((await binary.run(["migrate", "--embedded", data])).stdout).toMatch(/is at version/);
  const { code, stdout } = await binary.run(["status", "--embedded", data]);
  expect({ code, stdout: normalised(stdout) }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("threads     0"),
  });
}, 60_000);
