/** Ways to a server: TLS, Unix sockets, PG* variables, several hosts. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { createDatabase, createPool, statement } from "../../src/postgres/index.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import {
  PASSWORD,
  type PostgresServer,
  SUPERUSER,
  startServer,
} from "../support/postgres-server.ts";
import { eventually } from "../support/wait.ts";

let directory: string;
let certificates: Certificates;
/** Speaks TLS. */
let server: PostgresServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lgp-tls-"));
  await chmod(directory, 0o755);
  certificates = await makeCertificates(directory);
  server = await startServer({
    settings: {
      ssl: "on",
      ssl_cert_file: certificates.certificate,
      ssl_key_file: certificates.key,
    },
  });
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

const pools: pg.Pool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.end())));
function open(connString?: string): pg.Pool {
  const pool = createPool(connString === undefined ? {} : { connString });
  pools.push(pool);
  return pool;
}

/** How the server sees the connection. */
async function seen(
  pool: pg.Pool,
): Promise<{ tls: boolean; address: string | null; user: string }> {
  const { rows } = await pool.query(
    `SELECT ssl AS tls, host(client_addr) AS address, current_user::text AS user
     FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()`,
  );
  return rows[0];
}

describe("TLS", () => {
  const url = (query: string, host = "127.0.0.1"): string =>
    `${server.url().replace("127.0.0.1", host)}?${query}`;

  test.each(["require", "prefer"])("sslmode=%s encrypts, whoever answers", async (mode) => {
    expect(await seen(open(url(`sslmode=${mode}`)))).toMatchObject({ tls: true });
  });

  test.each(["disable", "allow"])("sslmode=%s does not where it need not", async (mode) => {
    expect(await seen(open(url(`sslmode=${mode}`)))).toMatchObject({ tls: false });
  });

  test("sslmode=prefer goes without where the server has none", async () => {
    const pool = open(`${inject("postgres")["18"]}?sslmode=prefer`);
    expect(await seen(pool)).toMatchObject({ tls: false });
  });

  test("sslmode=verify-full refuses a server of an unknown authority, and says what to do", async () => {
    const pool = open(url("sslmode=verify-full"));
    await expect(
      createDatabase({ pool }).execute(statement("one", "SELECT '1'"), []),
    ).rejects.toMatchObject({
      code: "CONNECTION_FAILED",
      message: expect.stringMatching(/certificate.*sslrootcert/),
    });
  });

  test.each(["127.0.0.1", "localhost"])(
    "sslmode=verify-full with sslrootcert accepts the server at %s",
    async (host) => {
      const pool = open(url(`sslmode=verify-full&sslrootcert=${certificates.authority}`, host));
      expect(await seen(pool)).toMatchObject({ tls: true });
    },
  );

  test("a name that is not in the certificate: refused by verify-full, not by verify-ca", async () => {
    const other = await mkdtemp(join(directory, "other-"));
    await chmod(other, 0o755);
    const { authority, certificate, key } = await makeCertificates(other, {
      names: ["elsewhere.example"],
    });
    const elsewhere = await startServer({
      settings: { ssl: "on", ssl_cert_file: certificate, ssl_key_file: key },
    });
    try {
      const ask = (mode: string): ReturnType<typeof seen> =>
        seen(open(`${elsewhere.url()}?sslmode=${mode}&sslrootcert=${authority}`));
      await expect(ask("verify-full")).rejects.toMatchObject({
        code: "ERR_TLS_CERT_ALTNAME_INVALID",
      });
      expect(await ask("verify-ca")).toMatchObject({ tls: true });
      // The wrong authority is refused by both.
      const wrong = `${elsewhere.url()}?sslmode=verify-ca&sslrootcert=${certificates.authority}`;
      await expect(seen(open(wrong))).rejects.toThrow();
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
    } finally {
      await elsewhere.stop();
    }
  });

  test("a late statement is cancelled over TLS, too", async () => {
    const pool = open(url("sslmode=require"));
    await pool.query("SELECT 1"); // The deadline is the statement's, not the handshake's.
    const db = createDatabase({ pool, deadline: 300 });
    const slow = statement("slow", "SELECT pg_sleep(60)::text /* over tls */");
    await expect(db.execute(slow, [])).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const running = `SELECT 1 FROM pg_stat_activity
      WHERE query LIKE '%/* over tls */' AND state = 'active' AND pid <> pg_backend_pid()`;
    await eventually("it was cancelled", async () => (await pool.query(running)).rowCount === 0);
  });
});

describe("Unix sockets and variables", () => {
  test("a Unix socket, in the form of libpq and in that of URLs", async () => {
    const secret = encodeURIComponent(PASSWORD);
    const { socketDir, port } = server;
    for (const text of [
      `postgresql://${SUPERUSER}:${secret}@/postgres?host=${socketDir}&port=${port}`,
      `postgresql://${SUPERUSER}:${secret}@${encodeURIComponent(socketDir)}:${port}/postgres`,
      `host=${socketDir} port=${port} user=${SUPERUSER} dbname=postgres password='${PASSWORD}'`,
    ]) {
      expect(await seen(open(text))).toMatchObject({ address: null, user: SUPERUSER });
    }
  });

  test("PG* variables alone", async () => {
    vi.stubEnv("PGHOST", "127.0.0.1");
    vi.stubEnv("PGPORT", String(server.port));
    vi.stubEnv("PGUSER", SUPERUSER);
    vi.stubEnv("PGPASSWORD", PASSWORD);
    vi.stubEnv("PGDATABASE", "template1");
    vi.stubEnv("PGSSLMODE", "require");
    vi.stubEnv("PGOPTIONS", "-c work_mem=5MB");
    const pool = open();
    expect(await seen(pool)).toMatchObject({ tls: true, address: "127.0.0.1" });
    const { rows } = await pool.query(
      "SELECT current_database()::text AS db, current_setting('work_mem') AS mem",
    );
    expect(rows).toEqual([{ db: "template1", mem: "5MB" }]);
  });
});

describe("several hosts", () => {
  /** A standby to all appearances: it refuses to write. */
  let readOnly: PostgresServer;
  let away: PostgresServer;
  beforeAll(async () => {
    [readOnly, away] = await Promise.all([
      startServer({ settings: { default_transaction_read_only: "on" } }),
      startServer(),
    ]);
    await away.kill();
  });
  afterAll(() => Promise.all([readOnly.stop(), away.stop()]));

  const among = (servers: readonly PostgresServer[], query = ""): string =>
    `postgresql://${SUPERUSER}:${encodeURIComponent(PASSWORD)}@${servers
      .map(({ host, port }) => `${host}:${port}`)
      .join(",")}/postgres?${query}`;
  const portOf = async (pool: pg.Pool): Promise<number> =>
    (await pool.query("SELECT inet_server_port() AS port")).rows[0].port;

  test("the first one that answers is taken", async () => {
    expect(await portOf(open(among([away, readOnly, server])))).toBe(readOnly.port);
  });

  test.each([
    ["read-write", () => server],
    ["read-only", () => readOnly],
    ["primary", () => readOnly],
    ["any", () => readOnly],
  ] as const)("target_session_attrs=%s takes the first that fits", async (kind, expected) => {
    const pool = open(among([away, readOnly, server], `target_session_attrs=${kind}`));
    const ports = await Promise.all([1, 2, 3].map(() => portOf(pool)));
    expect(new Set(ports)).toEqual(new Set([expected().port]));
  });

  test("none fits: a typed error that names each host and its reason", async () => {
    const pool = open(among([away, readOnly], "target_session_attrs=read-write"));
    const db = createDatabase({ pool, deadline: 2_000 });
    const failed = db.execute(statement("one", "SELECT '1'"), []);
    await expect(failed).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    const { message } = (await failed.catch((error: unknown) => error)) as Error;
    expect(message).toContain(`127.0.0.1:${away.port}: connect ECONNREFUSED`);
    expect(message).toMatch(new RegExp(`127.0.0.1:${readOnly.port}.*read-write`));
    // One of them may be promoted: it was tried again.
    expect(db.counters.retries).toBeGreaterThan(0);
  });

  test("a single host that does not fit is refused, too", async () => {
    await expect(
      portOf(open(among([readOnly], "target_session_attrs=read-write"))),
    ).rejects.toMatchObject({ sqlState: "25006" });
  });

  test("failover: the primary goes, the other is promoted, and the operation goes on there", async () => {
    const [first, second] = await Promise.all([startServer(), startServer()]);
    try {
      const admin = open(second.url());
      await admin.query("ALTER DATABASE postgres SET default_transaction_read_only = on");
      const pool = open(among([first, second], "target_session_attrs=read-write"));
      const db = createDatabase({ pool, deadline: 30_000 });
      const port = statement("port", "SELECT inet_server_port()::text");
      expect(await db.execute(port, [])).toEqual([[String(first.port)]]);
      await first.kill();
      const moved = db.execute(port, []);
      await eventually("it has failed", () => db.counters.retries > 0);
      await admin.query(
        "BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT",
      );
      expect(await moved).toEqual([[String(second.port)]]);
    } finally {
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});
