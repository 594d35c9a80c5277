/** Servers that are not there, refuse the login, have no connection free, or lose one at the wrong moment. */
import { createServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPool, LangGraphPostgresError, PostgresSaver } from "../../src/index.ts";
import { checkpointOf, putAll, putValues, threadConfig, tuples } from "./material.ts";
import { newest, type OpenSaver, openSaver, servers } from "./open-saver.ts";
import { wrapPool } from "./wrapped-pool.ts";

const SECRET = "hunter2-very-secret";

async function failure(doing: Promise<unknown>): Promise<LangGraphPostgresError> {
  const [outcome] = await Promise.allSettled([doing]);
  if (outcome.status === "fulfilled") throw new Error("it did not fail");
  expect(outcome.reason).toBeInstanceOf(LangGraphPostgresError);
  return outcome.reason;
}

/** No word of the password in anything that a program might print: message, stack, properties, causes, JSON. */
function expectNoSecret(error: unknown, secret = SECRET): void {
  const printed = [
    inspect(error, { depth: null, showHidden: true }),
    String(error),
    JSON.stringify(error),
    (error as Error).stack ?? "",
  ].join("\n");
  for (const form of [secret, encodeURIComponent(secret)]) expect(printed).not.toContain(form);
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 1;
}

test("an unreachable server", async () => {
  const url = `postgres://user:${SECRET}@127.0.0.1:${await unusedPort()}/db`;
  const saver = PostgresSaver.fromConnString(url, { deadline: "300ms" });
  const operations = [
    () => saver.setup(),
    () => saver.getTuple(threadConfig()),
    () => putValues(saver, { a: 1 }),
  ];
  for (const operation of operations) {
    const error = await failure(operation());
    expect(error.code).toBe("CONNECTION_FAILED");
    expect(error.message).toMatch(/ECONNREFUSED.*Check that the server runs/s);
    expectNoSecret(error);
  }
  await saver.end();
});

test("a host that does not exist", async () => {
  const url = `postgres://user:${SECRET}@no-such-host.invalid/db`;
  const saver = PostgresSaver.fromConnString(url, { deadline: "300ms" });
  const error = await failure(saver.getTuple(threadConfig()));
  expect(error.code).toBe("CONNECTION_FAILED");
  expectNoSecret(error);
  await saver.end();
});

test("a server that accepts and never answers", async () => {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 1;
  const url = `postgres://user:${SECRET}@127.0.0.1:${port}/db?sslmode=disable`;
  const saver = PostgresSaver.fromConnString(url, { deadline: "300ms" });
  const error = await failure(saver.getTuple(threadConfig()));
  expect(["POOL_TIMEOUT", "DEADLINE_EXCEEDED", "CONNECTION_FAILED"]).toContain(error.code);
  expectNoSecret(error);
  for (const socket of sockets) socket.destroy();
  await saver.end();
  await new Promise((resolve) => server.close(resolve));
});

test("connection strings that are none", async () => {
  for (const text of [
    "",
    "not a url",
    `http://u:${SECRET}@x/y`,
    `postgres://u:${SECRET}@h:port/db`,
  ]) {
    const opening = (async () => {
      const saver = PostgresSaver.fromConnString(text, { deadline: "200ms" });
      try {
        await saver.getTuple(threadConfig());
      } finally {
        await saver.end();
      }
    })();
    const error = await failure(opening);
    expect(["INVALID_OPTION", "CONNECTION_FAILED"]).toContain(error.code);
    expectNoSecret(error);
  }
});

describe.each(servers)("$name", (backend) => {
  let open: OpenSaver;
  beforeAll(async () => {
    open = await openSaver(backend, { maxConns: 2 });
  });
  afterAll(() => open.close());

  test("a wrong password, an unknown user, an unknown database", async () => {
    const right = new URL(open.connString ?? "");
    const wrong = [
      { password: SECRET },
      { username: "nobody-knows", password: SECRET },
      { pathname: "/no-such-database" },
    ];
    for (const change of wrong) {
      const url: URL = Object.assign(new URL(right), change);
      const saver = PostgresSaver.fromConnString(url.href, { deadline: "2s" });
      const error = await failure(saver.getTuple(threadConfig()));
      expect(error.code).toBe("CONNECTION_FAILED");
      expect(error.message).toMatch(/Check user and password|Create the database/);
      expectNoSecret(error);
      expectNoSecret(error, decodeURIComponent(right.password));
      await saver.end();
    }
  });

  test("the saver itself shows no password", () => {
    const saver = PostgresSaver.fromConnString(`postgres://user:${SECRET}@127.0.0.1/db`);
    expectNoSecret(saver);
  });

  test("a full pool: an error in time, and everything works again when a connection is free", async () => {
    const { pool, schema } = open;
    const saver = new PostgresSaver(pool, undefined, { schema, deadline: "300ms" });
    const taken = [await pool.connect(), await pool.connect()];
    const config = threadConfig("full pool");
    for (const operation of [
      () => saver.getTuple(config),
      () => putValues(saver, { a: 1 }, config),
    ]) {
      const error = await failure(operation());
      expect(error.code).toBe("POOL_TIMEOUT");
      expect(error.message).toMatch(/maxConns|max/);
    }
    for (const client of taken) client.release();
    expect(await saver.getTuple(config)).toBeUndefined();
    await putValues(saver, { a: 1 }, config);
    expect(pool.waitingCount).toBe(0);
    await nextTurn();
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  test("a server that is locked up: an error in time, and nothing half-written", async () => {
    const { pool, schema } = open;
    const saver = new PostgresSaver(pool, undefined, { schema, deadline: "400ms" });
    const client = await pool.connect();
    await client.query({ text: "BEGIN" });
    await client.query({ text: `LOCK TABLE "${schema}".checkpoints_values` });
    const config = threadConfig("locked");
    const error = await failure(putValues(saver, { a: 1 }, config));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    await client.query({ text: "ROLLBACK" });
    client.release();
    // The server may have gone on with the statement when the lock was gone: then it is there whole.
    const values = (await open.empty().get(config))?.channel_values;
    expect([undefined, { a: 1 }]).toContainEqual(values);
    // By its id: the other may come to be the latest even now.
    const put = await putAll(open.saver, config, checkpointOf({ a: 2 }, { a: 2 }));
    expect((await open.saver.get(put))?.channel_values).toEqual({ a: 2 });
  });

  test("case 28: an acknowledgement is lost: the retry changes nothing", async () => {
    const pool = wrapPool(open.pool);
    const saver = new PostgresSaver(pool, undefined, { schema: open.schema });
    const config = threadConfig("case 28");
    /** The next statement succeeds on the server, and its answer never arrives. */
    const loseNext = () => {
      pool.afterQuery = () => {
        pool.afterQuery = undefined;
        throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
      };
    };
    const list = ["x".repeat(3000), "y".repeat(3000)];
    loseNext();
    const first = await putValues(saver, { list }, config);
    loseNext();
    await saver.putWrites(
      first,
      [
        ["list", ["z".repeat(3000)]],
        ["__error__", "e"],
      ],
      "task",
    );
    loseNext();
    const more = checkpointOf({ list: [...list, "z"] }, { list: 2 });
    await putAll(saver, first, more);
    loseNext();
    expect((await saver.getTuple(config))?.checkpoint.id).toBe(more.id);
    const found = await tuples(open.empty(), config);
    expect(found.map(({ checkpoint }) => checkpoint.channel_values)).toEqual([
      { list: [...list, "z"] },
      { list },
    ]);
    expect(found[1]?.pendingWrites).toHaveLength(2);
    loseNext();
    await saver.deleteThread(config.configurable?.thread_id);
    expect(await tuples(open.empty(), config)).toEqual([]);
  });

  test("case 42: a borrowed pool is open after end()", async () => {
    const saver = new PostgresSaver(open.pool, undefined, { schema: open.schema });
    await saver.getTuple(threadConfig());
    await saver.end();
    expect((open.pool as pg.Pool).ended).toBe(false);
    expect(await open.sql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    const error = await failure(saver.getTuple(threadConfig()));
    expect(error.code).toBe("CLOSED");
  });
});

test("fromConnString, setup, a run and end: as in the official package", async () => {
  const open = await openSaver(newest);
  const saver = PostgresSaver.fromConnString(open.connString ?? "", { schema: open.schema });
  await saver.setup();
  const config = await putValues(saver, { a: 1 });
  await saver.end();
  const pool = createPool({ connString: open.connString ?? "", maxConns: 1 });
  const other = new PostgresSaver(pool, undefined, { schema: open.schema });
  expect((await other.get(config))?.channel_values).toEqual({ a: 1 });
  await pool.end();
  await open.close();
});
