/** PgBouncer in transaction mode in front of a server, where Debian's `pgbouncer` is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverUser } from "../support/postgres-binaries.ts";
import { eventually } from "../support/wait.ts";

export interface PgBouncer {
  /** Connection string through it. */
  readonly url: string;
  /** Kills it with SIGKILL. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const installed = spawnSync("pgbouncer", ["--version"], { encoding: "utf8" });

/** Its first line of `--version`, or undefined where it is not installed. */
export const pgBouncerVersion: string | undefined =
  installed.status === 0 ? installed.stdout.split("\n")[0] : undefined;

/**
 * Starts it in front of the server with this connection string.
 *
 * @param sessions How many sessions of the server all clients share: fewer than the clients' pools have connections,
 *   so that a transaction seldom finds the session that the last one had.
 */
export async function startPgBouncer(connString: string, sessions = 3): Promise<PgBouncer> {
  const target = new URL(connString);
  const directory = await mkdtemp(join(tmpdir(), "lgp-pgbouncer-"));
  const user = serverUser();
  const port = await freePort();
  const database = target.pathname.slice(1);
  const to = {
    host: target.hostname,
    port: target.port,
    user: target.username,
    password: `'${decodeURIComponent(target.password)}'`,
  };
  const config = join(directory, "pgbouncer.ini");
  const lines = Object.entries(to).map(([key, value]) => `${key}=${value}`);
  await writeFile(
    config,
    `[databases]
${database} = ${lines.join(" ")}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${sessions}
max_client_conn = 200
server_login_retry = 1
`,
  );
  await chmod(directory, 0o755);
  if (user) await chown(directory, user.uid, user.gid);

  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const starting = spawn("pgbouncer", ["--quiet", config], { ...user, stdio: "ignore" });
    child = starting;
    await eventually("pgbouncer answers", async () => {
      if (starting.exitCode !== null) throw new Error(`pgbouncer ended: ${starting.exitCode}`);
      return answers(port);
    });
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  await start();
  return {
    url: `postgresql://${target.username}@127.0.0.1:${port}/${database}`,
    kill,
    start,
    async stop() {
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (typeof address !== "object" || address === null) throw new Error("no free port");
  return address.port;
}
