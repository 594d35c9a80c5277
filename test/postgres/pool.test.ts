import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, connect as netConnect, type Server, type Socket } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { createPool, type PoolOptions } from "../../src/postgres/index.ts";
import { eventually } from "../support/wait.ts";

const pools: pg.Pool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.end())));
function open(options: PoolOptions = {}): pg.Pool {
  const pool = createPool({ connString: inject("postgres")["18"], ...options });
  pools.push(pool);
  return pool;
}

async function pidOf(pool: pg.Pool): Promise<number> {
  return (await pool.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
}

test("it is a pg.Pool, and survives the loss of an idle connection", async () => {
  const pool = open();
  expect(pool).toBeInstanceOf(pg.Pool);
  const victim = await pool.connect();
  const { rows } = await victim.query("SELECT pg_backend_pid() AS pid");
  victim.release();
  const killer = open();
  await killer.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
  await eventually("it left the pool", () => pool.totalCount === 0);
  expect(await pidOf(pool)).not.toBe(rows[0].pid);
});

test("maxConns bounds the connections", async () => {
  const pool = open({ maxConns: 3 });
  await Promise.all(Array.from({ length: 12 }, () => pool.query("SELECT pg_sleep(0.02)")));
  expect(pool.totalCount).toBe(3);
});

test("minConns opens connections ahead of need, and keeps them when they are killed", async () => {
  const pool = open({ minConns: 3, healthCheckPeriod: "50ms", applicationName: "min_conns" });
  await eventually("three are open", () => pool.idleCount === 3);
  const admin = open();
  const pids = async (): Promise<number[]> => {
    const { rows } = await admin.query(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'min_conns'",
    );
    return rows.map((row) => row.pid);
  };
  const before = await pids();
  await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'min_conns'",
  );
  await eventually("three others are open", async () => {
    const now = await pids();
    return now.length === 3 && now.every((pid) => !before.includes(pid));
  });
});

test("maxConnIdleTime closes what nobody uses, down to minConns", async () => {
  const pool = open({ maxConnIdleTime: "80ms", minConns: 1, healthCheckPeriod: "20s" });
  await Promise.all([1, 2, 3].map(() => pool.query("SELECT pg_sleep(0.02)")));
  expect(pool.totalCount).toBe(3);
  await eventually("one is left", () => pool.totalCount === 1);
});

test("maxConnIdleTime counts from the last use, though the health check asks in between", async () => {
  const pool = open({ maxConnIdleTime: "250ms", healthCheckPeriod: "20ms" });
  await pool.query("SELECT 1");
  expect(pool.totalCount).toBe(1);
  await eventually("it is closed", () => pool.totalCount === 0, 5000);
});

test("the health check leaves alone what is in use", async () => {
  const pool = open({ maxConns: 2, healthCheckPeriod: "5ms" });
  const pid = await pidOf(pool);
  const client = await pool.connect();
  const rows = await client.query("SELECT pg_backend_pid() AS pid FROM pg_sleep(0.1)");
  expect(rows.rows[0].pid).toBe(pid);
  client.release();
  expect(await pidOf(pool)).toBe(pid);
});

test("maxConnLifetime replaces a connection, used or not", async () => {
  const pool = open({ maxConnLifetime: "100ms", minConns: 1 });
  const pid = await pidOf(pool);
  await eventually("another one serves", async () => (await pidOf(pool)) !== pid);
});

test("applicationName, from the option before the string", async () => {
  const name = async (pool: pg.Pool): Promise<string> =>
    (await pool.query("SELECT current_setting('application_name') AS name")).rows[0].name;
  const connString = `${inject("postgres")["18"]}?application_name=from-string`;
  expect(await name(open())).toBe("langgraph-postgres");
  expect(await name(open({ connString }))).toBe("from-string");
  expect(await name(open({ connString, applicationName: "from-option" }))).toBe("from-option");
});

describe("beforeAcquire", () => {
  test("sees each connection before it is handed out; a refused one is closed", async () => {
    const refused = new Set<number>();
    let limit = 0;
    const pool = open({
      beforeAcquire: async (client) => {
        const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
        if (refused.size >= limit) return true;
        refused.add(rows[0].pid);
        return false;
      },
    });
    const pid = await pidOf(pool);
    limit = 2;
    const client = await pool.connect();
    expect(refused.size).toBe(2);
    expect(refused.has(pid)).toBe(true);
    client.release();
    expect(refused.has(await pidOf(pool))).toBe(false);
    expect(pool.totalCount).toBe(1);
  });

  test("works with callbacks, too, and is not asked by the health check", async () => {
    let calls = 0;
    const pool = open({
      minConns: 1,
      healthCheckPeriod: "1ms",
      beforeAcquire: () => {
        calls += 1;
        return true;
      },
    });
    await new Promise<void>((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (error || !client) return reject(error);
        release();
        resolve();
      });
    });
    expect(calls).toBe(1);
  });

  test("its error reaches the caller, and the connection is closed", async () => {
    const pool = open({
      beforeAcquire: () => {
        throw new Error("mine");
      },
    });
    await expect(pool.query("SELECT 1")).rejects.toThrow("mine");
    await eventually("closed", () => pool.totalCount === 0);
  });

  test("one that refuses everything ends in an error, not in a loop", async () => {
    const pool = open({ maxConns: 2, beforeAcquire: () => false });
    await expect(pool.connect()).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    await eventually("closed", () => pool.totalCount === 0);
  });
});

describe("a server that vanishes without a goodbye", () => {
  let proxy: Server;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    const target = new URL(inject("postgres")["18"]);
    proxy = createServer((near) => {
      const far = netConnect(Number(target.port), target.hostname);
      sockets.push(near, far);
      near.on("error", () => {}).on("data", (data) => far.write(data));
      far.on("error", () => {}).on("data", (data) => near.write(data));
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });

  test("the health check replaces the idle connection, which looks alive", {
    timeout: 20_000,
  }, async () => {
    const url = new URL(inject("postgres")["18"]);
    url.port = String((proxy.address() as { port: number }).port);
    const pool = open({ connString: url.href, healthCheckPeriod: "50ms", minConns: 1 });
    const pid = await pidOf(pool);
    const removed = once(pool, "remove");
    // From here on nothing is passed on, and nothing is closed.
    for (const socket of sockets) socket.removeAllListeners("data").resume();
    await removed;
    await eventually("there is a new one", () => pool.idleCount === 1);
    expect(await pidOf(pool)).not.toBe(pid);
  });
});

test("a process that does not end its pool ends all the same", async () => {
  const script = `
    import { createPool } from "./src/postgres/index.ts";
    const pool = createPool({ connString: process.argv[1], minConns: 2 });
    await pool.query("SELECT 1");
    console.log("done");`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", script, inject("postgres")["18"]],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(child.stdout, "data");
  const began = performance.now();
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
  expect(performance.now() - began).toBeLessThan(8000);
});

describe("options that are refused", () => {
  test.each([
    [{ maxConn: 3 }, /maxConns/],
    [{ maxConns: 0 }, /maxConns/],
    [{ maxConns: 1.5 }, /maxConns/],
    [{ maxConns: Number.NaN }, /maxConns/],
    [{ minConns: -1 }, /minConns/],
    [{ minConns: 11 }, /minConns \(11\) must not be above maxConns \(10\)/],
    [{ maxConnIdleTime: 0 }, /maxConnIdleTime/],
    [{ maxConnLifetime: "1 week" }, /maxConnLifetime/],
    [{ healthCheckPeriod: -5 }, /healthCheckPeriod/],
    [{ connString: "nonsense" }, /postgresql:/],
  ])("%j", (options, message) => {
    expect(() => createPool(options as PoolOptions)).toThrow(message);
    expect(() => createPool(options as PoolOptions)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION" }),
    );
  });
});
