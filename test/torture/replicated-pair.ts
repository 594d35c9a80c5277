/** A primary and a streaming standby that confirms every commit, on one machine. */
import { chown, cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { serverUser } from "../support/postgres-binaries.ts";
import {
  PASSWORD,
  type PostgresServer,
  SUPERUSER,
  startServer,
} from "../support/postgres-server.ts";
import { eventually } from "../support/wait.ts";

export interface Pair {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Names both, and asks for the one that can be written to. */
  readonly connString: string;
  /** Makes the standby a primary of its own. */
  promote(): Promise<void>;
  /** From now on the primary refuses writes with 25006, and lets reads go on. */
  makePrimaryReadOnly(): Promise<void>;
  stop(): Promise<void>;
}

const STANDBY = "standby";

export async function startPair(): Promise<Pair> {
  const base = await mkdtemp(join(tmpdir(), "lgp-pair-"));
  const user = serverUser();
  if (user) await chown(base, user.uid, user.gid);
  const directories = { primary: join(base, "primary"), standby: join(base, "standby") };
  const settings = { wal_level: "replica", max_wal_senders: 4, hot_standby: "on" };
  const primary = await startServer({ dataDir: directories.primary, fsync: true, settings });
  await primary.kill("SIGINT");
  await cp(directories.primary, directories.standby, { recursive: true, mode: 0 });
  await rm(join(directories.standby, "postmaster.pid"), { force: true });
  const conninfo = Object.entries({
    host: primary.host,
    port: primary.port,
    user: SUPERUSER,
    password: PASSWORD,
    application_name: STANDBY,
  })
    .map(([key, value]) => `${key}='${value}'`)
    .join(" ");
  await writeFile(join(directories.standby, "standby.signal"), "");
  await writeFile(
    join(directories.standby, "postgresql.auto.conf"),
    `primary_conninfo = '${conninfo.replaceAll("'", "''")}'\n`,
  );
  await ownedBy(directories.standby);
  await primary.restart();
  const standby = await startServer({ dataDir: directories.standby, fsync: true, settings });

  const onPrimary = <T extends pg.QueryResultRow>(text: string) => ask<T>(primary, text);
  // Not before it streams: until then every commit would wait for it.
  await eventually("the standby streams", async () => {
    const rows = await onPrimary<{ state: string }>("SELECT state FROM pg_stat_replication");
    return rows[0]?.state === "streaming";
  });
  await onPrimary(`ALTER SYSTEM SET synchronous_standby_names = '${STANDBY}'`);
  await onPrimary("SELECT pg_reload_conf()");
  await eventually("the standby confirms", async () => {
    const rows = await onPrimary<{ sync_state: string }>(
      "SELECT sync_state FROM pg_stat_replication",
    );
    return rows[0]?.sync_state === "sync";
  });

  return {
    primary,
    standby,
    connString:
      `postgresql://${SUPERUSER}:${encodeURIComponent(PASSWORD)}@` +
      `127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres` +
      "?target_session_attrs=read-write&connect_timeout=3",
    async promote() {
      await ask(standby, "SELECT pg_promote(true, 60)");
    },
    async makePrimaryReadOnly() {
      await onPrimary("ALTER SYSTEM SET default_transaction_read_only = on");
      await onPrimary("SELECT pg_reload_conf()");
    },
    async stop() {
      // A primary whose standby is gone waits for it at every commit, but not when it is killed.
      await Promise.all([primary.kill("SIGKILL"), standby.kill("SIGKILL")]);
      await Promise.all([primary.stop(), standby.stop()]);
      await rm(base, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  async function ownedBy(directory: string): Promise<void> {
    if (!user) return;
    await chown(directory, user.uid, user.gid);
    for (const entry of await readdir(directory, { recursive: true })) {
      await chown(join(directory, entry), user.uid, user.gid);
    }
  }
}

async function ask<T extends pg.QueryResultRow>(
  server: PostgresServer,
  text: string,
): Promise<T[]> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}
