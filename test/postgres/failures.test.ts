/** Servers that are away, full or slow: typed errors in time, which say what to do and hold no secret. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { DatabaseError } from "../../src/errors.ts";
import { createDatabase, createPool, type Database, statement } from "../../src/postgres/index.ts";
import { PASSWORD, type PostgresServer, startServer } from "../support/postgres-server.ts";
import { allThatShows } from "../support/secrets.ts";
import { eventually } from "../support/wait.ts";

const ONE = statement("one", "SELECT '1'");

const open: Database[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});
function database(connString: string, deadline = 5000, maxConns = 2): Database {
  const db = createDatabase({ pool: createPool({ connString, maxConns }), owned: true, deadline });
  open.push(db);
  return db;
}

/** Takes the time to connect, so that a short deadline is the next operation's alone. */
async function connected(db: Database): Promise<void> {
  await db.execute(ONE, [], { deadline: 20_000 });
}

/** The error of the operation, which must come within `ms`. */
async function failure(operation: Promise<unknown>, ms: number): Promise<DatabaseError> {
  const began = performance.now();
  const error = await operation.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DatabaseError);
  // The rest is for a machine that is busy with other things.
  expect(performance.now() - began).toBeLessThan(ms + 3000);
  return error as DatabaseError;
}

describe("a server of its own", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startServer({
      settings: { max_connections: 8, superuser_reserved_connections: 0 },
    });
  });
  afterAll(() => server.stop());

  test("it stays away: a typed error at the deadline, no later", async () => {
    const db = database(server.url(), 700);
    await db.execute(ONE, []);
    await server.kill();
    const error = await failure(db.execute(ONE, []), 700);
    expect(error).toMatchObject({ code: "CONNECTION_FAILED", cause: { code: "ECONNREFUSED" } });
    expect(error.message).toMatch(/Check that the server runs/);
    expect(db.counters.retries).toBeGreaterThan(1);
    await server.restart();
    expect(await db.execute(ONE, [])).toEqual([["1"]]);
  });

  test("it is back within the deadline: the operation succeeds", async () => {
    const db = database(server.url(), 30_000);
    const socket = database(
      `postgresql:///postgres?host=${server.socketDir}&port=${server.port}&user=postgres&password=${encodeURIComponent(PASSWORD)}`,
      30_000,
    );
    await db.execute(ONE, []);
    await socket.execute(ONE, []);
    await server.kill();
    const operations = [
      db.execute(ONE, []),
      db.transaction((tx) => tx.execute(ONE, [])),
      socket.execute(ONE, []),
    ];
    await eventually(
      "all have failed once",
      () => db.counters.retries > 1 && socket.counters.retries > 0,
    );
    await server.restart();
    expect(await Promise.all(operations)).toEqual([[["1"]], [["1"]], [["1"]]]);
  });

  test("it has no connection left (53300): retried, then a typed error", async () => {
    const first = new pg.Client(server.url());
    await first.connect();
    await eventually("those of the tests before are gone", async () => {
      const others = await first.query(
        "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
      return others.rowCount === 0;
    });
    const taken = [first];
    for (let refused = false; !refused; ) {
      const client = new pg.Client(server.url());
      client.on("error", () => {});
      refused = await client.connect().then(
        () => taken.push(client) === 0,
        () => true,
      );
    }
    const db = database(server.url(), 500);
    const error = await failure(db.execute(ONE, []), 500);
    expect(error).toMatchObject({ code: "CONNECTION_FAILED", sqlState: "53300" });
    expect(error.message).toMatch(/max_connections/);
    const patient = database(server.url(), 20_000).execute(ONE, []);
    for (const client of taken) await client.end();
    expect(await patient).toEqual([["1"]]);
  });
});

describe("logins", () => {
  const shared = (change: (url: URL) => void): string => {
    const url = new URL(inject("postgres")["18"]);
    change(url);
    return url.href;
  };

  test.each([
    {
      what: "a wrong password",
      url: () => shared((url) => Object.assign(url, { password: "wr0ng-s3cret" })),
      expected: { code: "CONNECTION_FAILED", sqlState: "28P01" },
      advice: /PGPASSWORD/,
    },
    {
      what: "an unknown user",
      url: () => shared((url) => Object.assign(url, { username: "nobody_here" })),
      expected: { code: "CONNECTION_FAILED", sqlState: "28P01" },
      advice: /PGUSER/,
    },
    {
      what: "an unknown database",
      url: () => shared((url) => Object.assign(url, { pathname: "/no_such_database" })),
      expected: { code: "CONNECTION_FAILED", sqlState: "3D000" },
      advice: /Create the database/,
    },
    {
      what: "an unknown host",
      url: () => shared((url) => Object.assign(url, { hostname: "no-such-host.invalid" })),
      expected: { code: "CONNECTION_FAILED", sqlState: undefined },
      advice: /host/,
    },
    {
      what: "a server without TLS where TLS is asked for",
      url: () => shared((url) => url.searchParams.set("sslmode", "require")),
      expected: { code: "CONNECTION_FAILED", sqlState: undefined },
      advice: /SSL/,
    },
  ])("$what: at once, with advice and without the password", async ({ url, expected, advice }) => {
    const db = database(url(), 15_000);
    // Well before the deadline: doing it again would not help. (A resolver that is away might.)
    const error = await failure(db.execute(ONE, []), 16_000);
    expect(error).toMatchObject(expected);
    expect(error.message).toMatch(advice);
    const shown = allThatShows(error);
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), "wr0ng-s3cret"]) {
      expect(shown).not.toContain(secret);
    }
    if (expected.sqlState !== undefined) expect(db.counters.retries).toBe(0);
  });

  test("no password: said at once", async () => {
    const url = shared((it) => Object.assign(it, { password: "" }));
    const error = await failure(database(url, 15_000).execute(ONE, []), 1000);
    expect(error.code).toBe("CONNECTION_FAILED");
    expect(error.message).toMatch(/password/);
  });

  test("neither the pool nor its connections show the password", async () => {
    const pool = createPool({ connString: inject("postgres")["18"] });
    const client = await pool.connect();
    for (const thing of [pool, client, pool.options]) {
      const shown = (await import("node:util")).inspect(thing, { depth: 6 });
      expect(shown).not.toContain(PASSWORD);
      expect(shown).not.toContain(encodeURIComponent(PASSWORD));
    }
    client.release();
    await pool.end();
  });
});

describe("time", () => {
  test("a full pool: POOL_TIMEOUT at the deadline, and the late connection goes back", async () => {
    const db = database(inject("postgres")["18"], 300, 1);
    const pool = db.pool as pg.Pool;
    const held = await pool.connect();
    const error = await failure(db.execute(ONE, []), 300);
    expect(error.code).toBe("POOL_TIMEOUT");
    expect(error.message).toMatch(/maxConns/);
    held.release();
    await eventually("the late one went back", () => pool.idleCount === 1);
    expect(await db.execute(ONE, [])).toEqual([["1"]]);
    expect(pool.waitingCount).toBe(0);
  });

  test("a slow statement: DEADLINE_EXCEEDED, and the server stops working on it", async () => {
    const db = database(inject("postgres")["18"], 400);
    await connected(db);
    const marker = `slow ${Math.random()}`;
    const slow = statement("slow", `SELECT pg_sleep(60)::text /* ${marker} */`);
    const error = await failure(db.execute(slow, []), 400);
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(error.message).toContain(slow.name);
    const running = statement(
      "running",
      "SELECT 1::text FROM pg_stat_activity WHERE query LIKE $1 AND state = 'active' AND pid <> pg_backend_pid()",
    );
    const watcher = database(inject("postgres")["18"]);
    await eventually(
      "it was cancelled",
      async () => (await watcher.execute(running, [`%${marker}%`])).length === 0,
    );
    expect(await db.execute(ONE, [])).toEqual([["1"]]);
  });

  test("a transaction: all of it has one deadline, and it leaves no lock behind", async () => {
    const db = database(inject("postgres")["18"], 400);
    await connected(db);
    const other = database(inject("postgres")["18"]);
    const lock = statement("lock", "SELECT pg_advisory_xact_lock(815)::text");
    const error = await failure(
      db.transaction(async (tx) => {
        await tx.execute(lock, []);
        for (;;) await tx.execute(statement("nap", "SELECT pg_sleep(0.05)::text"), []);
      }),
      400,
    );
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    await other.transaction((tx) => tx.execute(lock, []));
  });

  test("its own deadline for one operation", async () => {
    const db = database(inject("postgres")["18"], 100);
    const nap = statement("nap", "SELECT 'slept' FROM pg_sleep(0.4)");
    expect(await db.execute(nap, [], { deadline: 20_000 })).toEqual([["slept"]]);
    expect(await db.execute(nap, [], { deadline: Number.POSITIVE_INFINITY })).toEqual([["slept"]]);
    expect((await failure(db.execute(nap, []), 100)).code).toBe("DEADLINE_EXCEEDED");
  });

  describe("a server that takes connections and says nothing", () => {
    let hole: Server;
    let port: number;
    const sockets = new Set<Socket>();
    beforeAll(async () => {
      hole = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => {});
      });
      hole.listen(0, "127.0.0.1");
      await once(hole, "listening");
      port = (hole.address() as { port: number }).port;
    });
    afterAll(() => {
      for (const socket of sockets) socket.destroy();
      hole.close();
    });

    test("the operation ends at its deadline", async () => {
      const db = database(`postgresql://u:p@127.0.0.1:${port}/d?connect_timeout=1`, 300);
      const error = await failure(db.execute(ONE, []), 300);
      expect(error.code).toBe("CONNECTION_FAILED");
      expect(error.message).toMatch(/firewall/);
    });

    test("connect_timeout ends an attempt, and the next is made", async () => {
      const db = database(`postgresql://u:p@127.0.0.1:${port}/d?connect_timeout=0.1`, 1000);
      const before = sockets.size;
      const error = await failure(db.execute(ONE, []), 1000);
      expect(error.code).toBe("CONNECTION_FAILED");
      expect(sockets.size - before).toBeGreaterThan(1);
    });
  });

  test("the deadline passes after refusals: the last one is told, and is the cause", async () => {
    const FULL = "SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
    const sockets: Socket[] = [];
    // Refuses twice, as a server does that has no connection free, and then says nothing any more.
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      if (sockets.length > 2) return;
      const length = Buffer.alloc(4);
      length.writeInt32BE(4 + FULL.length);
      socket.once("data", () =>
        socket.end(Buffer.concat([Buffer.from("E"), length, Buffer.from(FULL)])),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const db = database(`postgresql://u:p@127.0.0.1:${port}/d`, 400);
    const error = await failure(db.execute(ONE, []), 400);
    for (const socket of sockets) socket.destroy();
    server.close();
    expect(error).toMatchObject({ code: "CONNECTION_FAILED", cause: { code: "53300" } });
    expect(error.message).toMatch(/within 0.4 s/);
    expect(error.message).toContain("too many clients already (SQLSTATE 53300)");
    expect(sockets).toHaveLength(3);
  });
});

describe("messages", () => {
  test("a value that the server quotes stays out of the message", async () => {
    const db = database(inject("postgres")["18"]);
    const error = await failure(
      db.execute(statement("cast", "SELECT $1::text::int4::text"), ["pr1vate payload"]),
      1000,
    );
    expect(error).toMatchObject({ code: "DATABASE_ERROR", sqlState: "22P02" });
    expect(error.message).not.toContain("pr1vate");
    expect((error.cause as Error).message).toContain("pr1vate");
  });

  test("a name that the server quotes is in the message", async () => {
    const db = database(inject("postgres")["18"]);
    const error = await failure(
      db.execute(statement("missing", "SELECT * FROM no_such_table"), []),
      1000,
    );
    expect(error).toMatchObject({ code: "DATABASE_ERROR", sqlState: "42P01" });
    expect(error.message).toContain("no_such_table");
  });
});
