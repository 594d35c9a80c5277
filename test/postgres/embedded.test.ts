import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";
import { createDatabase, embedded, statement } from "../../src/postgres/index.ts";
import { eventually } from "../support/wait.ts";

beforeAll(() => useTemplate(() => readFile(inject("embeddedTemplate"))));

/** A process that does what its first line of input says; see the file. */
function startProcess(...args: string[]): { child: ChildProcess; lines: AsyncIterator<string> } {
  const script = fileURLToPath(new URL("embedded-process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--import", "tsx", script, inject("embeddedTemplate"), ...args],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (child.stdout === null) throw new Error("no output");
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
}

describe("in memory", () => {
  test("an error leaves the connection usable, and is the server's", async () => {
    const pool = await embedded("memory");
    const db = createDatabase({ pool, owned: true });
    for (let i = 0; i < 3; i += 1) {
      await expect(db.execute(statement("bad", "SELECT 1/0"), [])).rejects.toMatchObject({
        code: "DATABASE_ERROR",
        sqlState: "22012",
      });
      await expect(db.execute(statement("syntax", "SELEC"), [])).rejects.toMatchObject({
        sqlState: "42601",
      });
      expect(await db.execute(statement("good", "SELECT $1::text"), ["x"])).toEqual([["x"]]);
    }
    await db.close();
  });

  test("transactions commit and roll back", async () => {
    const pool = await embedded("memory");
    const db = createDatabase({ pool, owned: true });
    await db.execute(statement("create", "CREATE TABLE t (a text)"), []);
    const insert = statement("insert", "INSERT INTO t VALUES ($1)");
    await db.transaction((tx) => tx.execute(insert, ["kept"]));
    await expect(
      db.transaction(async (tx) => {
        await tx.execute(insert, ["lost"]);
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    expect(await db.execute(statement("select", "SELECT a FROM t"), [])).toEqual([["kept"]]);
    await db.close();
  });

  test("what a connection left behind is not there for the next: transaction, settings, names", async () => {
    const pool = await embedded("memory");
    await pool.query("CREATE TABLE t (a text)");
    const first = await pool.connect();
    await first.query({ name: "n", text: "SELECT 1" });
    await first.query("SET search_path = nowhere");
    await first.query("BEGIN");
    await first.query("INSERT INTO public.t VALUES ('uncommitted')");
    first.release(true);
    const second = await pool.connect();
    expect((await second.query("SELECT * FROM t")).rows).toEqual([]);
    expect((await second.query({ name: "n", text: "SELECT 2 AS two" })).rows).toEqual([{ two: 2 }]);
    second.release();
    await pool.end();
  });

  test("databases are isolated, at the same time and one after the other", async () => {
    const [a, b] = await Promise.all([embedded("memory"), embedded("memory")]);
    await a.query("CREATE TABLE t AS SELECT 'a' AS who");
    await b.query("CREATE TABLE t AS SELECT 'b' AS who");
    await b.query("CREATE SCHEMA more CREATE TABLE t (x int)");
    expect((await a.query("SELECT who FROM t")).rows).toEqual([{ who: "a" }]);
    expect((await b.query("SELECT who FROM t")).rows).toEqual([{ who: "b" }]);
    await a.end();
    await b.end();
    const c = await embedded("memory");
    const { rows } = await c.query("SELECT to_regclass('t') AS t, to_regnamespace('more') AS more");
    expect(rows).toEqual([{ t: null, more: null }]);
    await c.end();
  });

  test("one that leaves roles behind is not used again", async () => {
    const a = await embedded("memory");
    await a.query("CREATE ROLE left_behind");
    await a.end();
    const b = await embedded("memory");
    const { rows } = await b.query("SELECT 1 FROM pg_roles WHERE rolname = 'left_behind'");
    expect(rows).toEqual([]);
    await b.end();
  });

  test("timers run while queries follow one another without a pause", async () => {
    const pool = await embedded("memory");
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 1);
    const end = performance.now() + 200;
    while (performance.now() < end) await pool.query("SELECT 1");
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    await pool.end();
  });

  test("the write-ahead log does not grow for ever", async () => {
    const pool = await embedded("memory");
    await pool.query("CREATE TABLE t (a text)");
    for (let i = 0; i < 3; i += 1) {
      // 40 MB of log each, of which the engine sees only the parameter.
      await pool.query(
        "INSERT INTO t SELECT repeat(md5(g::text), 30) FROM generate_series(1, 37000) g",
      );
      await pool.query("SELECT length($1::text)", ["x".repeat(4 << 20)]);
    }
    const { rows } = await pool.query("SELECT count(*)::int AS megabytes FROM pg_ls_waldir()");
    expect(rows[0].megabytes).toBeLessThan(110);
    await pool.end();
  });

  test("bad names are refused before anything is opened", async () => {
    await expect(embedded("")).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(embedded(7 as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

describe("in a directory", () => {
  let base: string;
  let dir: string;
  const processes: ChildProcess[] = [];
  const start = (...args: string[]): ReturnType<typeof startProcess> => {
    const started = startProcess(...args);
    processes.push(started.child);
    return started;
  };
  /** A directory to copy: making one takes longer than all else here. */
  let made: string;
  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), "lgp-embedded-"));
    await (await embedded(made)).end();
    return () => rm(made, { recursive: true });
  });
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "lgp-embedded-"));
    dir = join(base, "deep", "er");
  });
  const useMade = (): Promise<void> => cp(made, dir, { recursive: true });
  afterEach(async () => {
    for (const child of processes.splice(0)) child.kill("SIGKILL");
    await rm(base, { recursive: true, force: true });
  });

  test("data is there again after end, and the lock is gone", async () => {
    const a = await embedded(dir);
    await a.query("CREATE TABLE t AS SELECT 1 AS one");
    await a.end();
    expect(await readdir(dir)).toEqual(["pgdata"]);
    const b = await embedded(dir);
    expect((await b.query("SELECT * FROM t")).rows).toEqual([{ one: 1 }]);
    await b.end();
  });

  test("what was committed survives SIGKILL, and the lock of the dead is taken over", async () => {
    await useMade();
    const { child, lines } = start(dir, "write");
    let acknowledged = 0;
    while (acknowledged < 200) acknowledged = Number((await lines.next()).value);
    child.kill("SIGKILL");
    await once(child, "exit");
    for (;;) {
      const { value, done } = await lines.next();
      if (done) break;
      acknowledged = Number(value);
    }
    const pool = await embedded(dir);
    const { rows } = await pool.query("SELECT count(*)::int AS n, max(i) AS last FROM t");
    expect(rows[0].n).toBe(rows[0].last);
    expect(rows[0].n).toBeGreaterThanOrEqual(acknowledged);
    await pool.end();
  });

  test("SIGKILL while the directory is being made leaves one that can be opened", async () => {
    const { child } = start(dir, "write");
    await eventually(
      "it begins to make the files",
      async () => (await readdir(join(dir, "pgdata")).catch(() => [])).length > 0,
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await readdir(dir)).toContain("pgdata.unfinished");
    const pool = await embedded(dir);
    await pool.query("SELECT 1");
    await pool.end();
    expect(await readdir(dir)).toEqual(["pgdata"]);
  });

  test("a second process is refused while the first lives; so is the same process", async () => {
    await useMade();
    const { child, lines } = start(dir, "hold");
    await lines.next();
    await expect(embedded(dir)).rejects.toMatchObject({
      code: "DIRECTORY_IN_USE",
      message: expect.stringContaining(`process ${child.pid}`),
    });
    child.kill("SIGTERM");
    await once(child, "exit");
    const pool = await embedded(dir);
    await expect(embedded(dir)).rejects.toThrow(/open in this process already/);
    await pool.end();
  });

  test("a second process waits for one that is about to close", async () => {
    await useMade();
    const a = await embedded(dir);
    const opening = embedded(dir);
    await a.end();
    const b = await opening;
    await b.end();
  });

  test("a lock whose process id went to another process is taken over", async () => {
    await useMade();
    const pool = await embedded(dir);
    const held = JSON.parse(await readFile(join(dir, "pgdata.lock"), "utf8"));
    await pool.end();
    // Process 1 lives, but did not begin when the lock's holder began.
    await writeFile(join(dir, "pgdata.lock"), JSON.stringify({ ...held, pid: 1 }));
    await (await embedded(dir)).end();
  });

  test("a path where no directory can be is refused", async () => {
    await writeFile(join(base, "file"), "precious");
    await expect(embedded(join(base, "file"))).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    await expect(embedded(join(base, "file", "x"))).rejects.toThrow(/cannot be used/);
  });

  test("a lock that holds nonsense is taken over once it is old", async () => {
    await useMade();
    for (const content of ["{", "null"]) {
      const lock = join(dir, "pgdata.lock");
      await writeFile(lock, content);
      await utimes(lock, 0, 0);
      await (await embedded(dir)).end();
    }
  });

  test("what is no database is refused and left alone", async () => {
    await mkdir(join(dir, "pgdata"), { recursive: true });
    await writeFile(join(dir, "pgdata", "mine.txt"), "precious");
    await expect(embedded(dir)).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    expect(await readFile(join(dir, "pgdata", "mine.txt"), "utf8")).toBe("precious");
    expect(await readdir(dir)).toEqual(["pgdata"]);
  });

  test("a process that forgets to end the pool ends by itself", async () => {
    await useMade();
    const { child, lines } = start(dir, "forget");
    const ended = once(child, "exit");
    expect((await lines.next()).value).toBe("done");
    const began = performance.now();
    expect(await ended).toEqual([0, null]);
    // PostgreSQL's own timers are of 10 s.
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
