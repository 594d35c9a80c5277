/** Opening and closing a store: where to, with what, and what is whose. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, inject, test, vi } from "vitest";
import {
  type ConnectOptions,
  createPool,
  embedded,
  PostgresCheckpointStore,
  type StoreOptions,
} from "../../src/index.ts";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";
import { both, failure, fresh, newest, useStore } from "../records/open-store.ts";

const connect = PostgresCheckpointStore.connect;
const url = () => new URL(inject("postgres")["18"]);

describe("connection strings", () => {
  const fixture = useStore(newest);
  const opened: PostgresCheckpointStore[] = [];
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));

  /** Saves through a store of these options, and finds it through the fixture's. */
  const works = async (options: ConnectOptions) => {
    const store = await connect({ schema: fixture.current.backend.schema, ...options });
    opened.push(store);
    const { id } = await store.save({ id: fresh("cp"), threadId: "t", state: options.connString });
    expect((await fixture.current.store.load(id)).state).toBe(options.connString);
    return store;
  };

  test("host and port, with sslmode=disable", async () => {
    await works({ connString: `${url()}?sslmode=disable` });
  });

  test("a Unix socket", async () => {
    const { username, password, port } = url();
    const [row] = await fixture.current.sql("SHOW unix_socket_directories");
    const host = encodeURIComponent(String(row?.unix_socket_directories));
    await works({
      connString: `postgres://${username}:${password}@/postgres?host=${host}&port=${port}`,
    });
  });

  test("PG* variables", async () => {
    const { hostname, port, username, password } = url();
    vi.stubEnv("PGHOST", hostname);
    vi.stubEnv("PGPORT", port);
    vi.stubEnv("PGUSER", username);
    vi.stubEnv("PGPASSWORD", decodeURIComponent(password));
    vi.stubEnv("PGDATABASE", "postgres");
    const store = await works({});
    expect(store.poolStats().total).toBe(1);
  });

  test.each(["require", "verify-full"])("sslmode=%s refuses a server without TLS", async (mode) => {
    const error = await failure(connect({ connString: `${url()}?sslmode=${mode}` }));
    expect(error).toMatchObject({ code: "CONNECTION_FAILED" });
    expectNoSecret(error);
  });

  test("the pool's options", async () => {
    const before = await fixture.current.sql(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'my agents'",
    );
    const acquired: unknown[] = [];
    const store = await works({
      connString: String(url()),
      pool: {
        maxConns: 3,
        minConns: 2,
        applicationName: "my agents",
        beforeAcquire: (client) => {
          acquired.push(client);
          return true;
        },
      },
    });
    expect(store.poolStats().max).toBe(3);
    expect(acquired.length).toBeGreaterThan(0);
    const [row] = await fixture.current.sql(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'my agents'",
    );
    expect(row?.n).toBeGreaterThan(Number(before[0]?.n));
    await Promise.all(Array.from({ length: 20 }, () => store.listWithOptions({ limit: 1 })));
    expect(store.poolStats()).toMatchObject({ acquired: 0, waiting: 0, max: 3 });
    expect(store.poolStats().total).toBeLessThanOrEqual(3);
  });

  function expectNoSecret(error: Error) {
    const secret = decodeURIComponent(url().password);
    for (const text of [error.message, String(error.stack), JSON.stringify(error)]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(url().password);
    }
  }

  test("a wrong password, a server that is not there: typed, with nothing secret, nothing left open", async () => {
    const wrong = url();
    wrong.password = "not-the-p4ssword";
    const refused = await failure(connect({ connString: String(wrong) }));
    expect(refused).toMatchObject({ code: "CONNECTION_FAILED", sqlState: "28P01" });
    expect(refused.message).not.toContain("not-the-p4ssword");

    const probe = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => probe.once("listening", resolve));
    const nobody = url();
    nobody.port = String((probe.address() as { port: number }).port);
    await new Promise((resolve) => probe.close(resolve));
    const away = await failure(connect({ connString: String(nobody), deadline: 300 }));
    expect(away).toMatchObject({ code: "CONNECTION_FAILED" });
    expectNoSecret(away);
  });
});

describe("impossible options", () => {
  test.each<[string, unknown]>([
    ["an unknown one", { conString: "postgres:///x" }],
    ["embedded and a connection string", { embedded: "memory", connString: "postgres:///x" }],
    ["embedded and a pool", { embedded: "memory", pool: { maxConns: 2 } }],
    ["a pool's unknown one", { connString: "postgres:///x", pool: { maxConnections: 3 } }],
    ["a pool of none", { connString: "postgres:///x", pool: { maxConns: 0 } }],
    ["an empty string", { connString: "" }],
    ["a TTL of zero", { embedded: "memory", ttl: { threads: 0 } }],
    ["a sweeper's unknown one", { connString: "postgres:///x", sweeper: { every: 1 } }],
  ])("%s", async (_, options) => {
    expect(await failure(connect(options as ConnectOptions))).toMatchObject({
      code: "INVALID_OPTION",
    });
  });
});

describe("embedded", () => {
  beforeAll(() => useTemplate(() => readFile(inject("embeddedTemplate"))));

  test("in memory: tables are there at once, each store alone", async () => {
    const [a, b] = await Promise.all([
      connect({ embedded: "memory" }),
      connect({ embedded: "memory" }),
    ]);
    await a.save({ id: "1", threadId: "t", state: "a" });
    expect(await b.getLatestByThread("t")).toBeUndefined();
    expect((await a.getLatestByThread("t"))?.state).toBe("a");
    await Promise.all([a.close(), b.close()]);
  });

  test("in a folder: what was saved is there the next time", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lgp-store-"));
    try {
      const options = { embedded: join(folder, "data"), schema: "s", tableName: "cp" };
      await using first = await connect(options);
      await first.save({ id: "1", threadId: "t", state: { a: new Date(0) } });
      await first.close();
      await using second = await connect(options);
      expect((await second.load("1")).state).toEqual({ a: new Date(0) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("without autoMigrate, it says which call is missing", async () => {
    await using store = await connect({ embedded: "memory", autoMigrate: false });
    expect(await failure(store.load("1"))).toMatchObject({
      code: "TABLES_MISSING",
      message: expect.stringContaining("initSchema"),
    });
    expect(await store.getSchemaVersion()).toBe(0);
    await store.initSchema();
    expect(await failure(store.load("1"))).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
  });
});

describe.each(both)("the tables on $name", (backend) => {
  const fixture = useStore(backend);
  const emptyStore = (options: StoreOptions = {}) =>
    PostgresCheckpointStore.fromPool(fixture.current.backend.pool, {
      schema: fresh(fixture.current.backend.schema),
      ...options,
    });

  test("initSchema, migrateSchema, getSchemaVersion, migrateTo", async () => {
    await using store = emptyStore();
    expect(await store.getSchemaVersion()).toBe(0);
    const { from, to } = await store.initSchema();
    expect([from, await store.getSchemaVersion()]).toEqual([0, to]);
    expect(await store.migrateSchema()).toMatchObject({ from: to, to, applied: [] });
    await store.save({ id: "1", threadId: "t", state: 1 });
    // Down to where only indexes go is harmless; further is refused unless it is wanted.
    await store.migrateTo(1);
    expect(await store.getSchemaVersion()).toBe(1);
    expect((await store.load("1")).state).toBe(1);
    expect(await failure(store.migrateTo(0))).toMatchObject({ code: "DATA_LOSS_REFUSED" });
    expect((await store.load("1")).state).toBe(1);
    await store.migrateTo(0, { allowDataLoss: true });
    expect(await failure(store.load("1"))).toMatchObject({ code: "TABLES_MISSING" });
    expect((await store.migrateSchema()).to).toBe(to);
    expect(await failure(store.load("1"))).toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    await store.save({ id: "1", threadId: "t", state: 2 });
    expect((await store.load("1")).version).toBe(1);
    expect(await failure(store.migrateTo(99))).toMatchObject({ code: "INVALID_OPTION" });
  });

  test("autoMigrate on a pool of one's own: before the first use, transactions included", async () => {
    for (const use of [
      (store: PostgresCheckpointStore) => store.save({ id: "1", threadId: "t", state: 1 }),
      (store: PostgresCheckpointStore) => store.listWithOptions(),
      (store: PostgresCheckpointStore) =>
        store.transaction((tx) => tx.save({ id: "1", threadId: "t", state: 1 })),
    ]) {
      await using store = emptyStore({ autoMigrate: true });
      await use(store);
      expect(await store.getSchemaVersion()).toBeGreaterThan(0);
    }
  });

  test("metadataIndex makes the index", async () => {
    await using store = emptyStore({ metadataIndex: true });
    await store.initSchema();
    const rows = await fixture.current.sql(
      "SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname LIKE $1 AND indexname = 'checkpoints_metadata_idx'",
      [`${fixture.current.backend.schema}%`],
    );
    expect(rows).toEqual([{ n: 1 }]);
  });
});

describe("closing", () => {
  const fixture = useStore(newest);

  test("waits for what is under way, refuses what comes later, leaves a borrowed pool open", async () => {
    const { backend, another } = fixture.current;
    const pool = createPool({ connString: backend.connString ?? "", maxConns: 2 });
    const store = PostgresCheckpointStore.fromPool(pool, { schema: backend.schema });
    const saving = Array.from({ length: 60 }, (_, i) =>
      store.save({ id: `closing/${i}`, threadId: `closing ${i % 7}`, state: i }),
    );
    const slow = store.transaction(async (tx) => {
      await tx.query("SELECT pg_sleep(0.3)");
      return tx.save({ id: "closing/slow", threadId: "closing", state: 1 });
    });
    const closing = store.close();
    expect(await failure(store.save({ id: "late", threadId: "t", state: 1 }))).toMatchObject({
      code: "CLOSED",
    });
    expect(
      await failure(store.checkpointer.getTuple({ configurable: { thread_id: "t" } })),
    ).toMatchObject({ code: "CLOSED" });
    await closing;
    const saved = await Promise.all(saving);
    expect((await slow).id).toBe("closing/slow");
    for (const { id } of saved) await another().load(id);
    // Case 42: the pool is its owner's.
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await store.close();
    await pool.end();
  });

  test("ends a pool of its own, also through the checkpointer", async () => {
    const connString = fixture.current.backend.connString ?? "";
    for (const end of [
      (store: PostgresCheckpointStore) => store.close(),
      (store: PostgresCheckpointStore) => store[Symbol.asyncDispose](),
      (store: PostgresCheckpointStore) => store.checkpointer.end(),
    ]) {
      const store = await connect({ connString, schema: fixture.current.backend.schema });
      await end(store);
      expect(store.poolStats().total).toBe(0);
      expect(await failure(store.load("x"))).toMatchObject({ code: "CLOSED" });
    }
  });

  test("an embedded pool that was handed in stays open", async () => {
    const pool = await embedded("memory");
    const store = PostgresCheckpointStore.fromPool(pool, { autoMigrate: true });
    await store.save({ id: "1", threadId: "t", state: 1 });
    await store.close();
    expect((await pool.query("SELECT count(*)::int AS n FROM langgraph.checkpoints")).rows).toEqual(
      [{ n: 1 }],
    );
    await pool.end();
  });

  test("a list that nobody finishes keeps nothing open", async () => {
    const { another } = fixture.current;
    const store = another();
    await store.save({ id: fresh("cp"), threadId: "t", state: 1 });
    const list = store.checkpointer.list({});
    await list.next();
    await store.close();
    expect(store.poolStats().acquired).toBe(0);
  });
});
