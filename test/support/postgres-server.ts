/** Real PostgreSQL servers for tests and benchmarks: started, stopped, killed and restarted at will. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type PostgresVersion, serverUser } from "./postgres-binaries.ts";
import { createCluster, outputOf, PASSWORD, SUPERUSER, spawnPostgres } from "./postgres-cluster.ts";

export type { PostgresVersion } from "./postgres-binaries.ts";
export { PASSWORD, SUPERUSER } from "./postgres-cluster.ts";

export interface ServerOptions {
  /** Default "18". */
  readonly version?: PostgresVersion;
  /** Whether commits reach the disk. Default false: tests lose nothing by it. */
  readonly fsync?: boolean;
  /** Kept when it is given, else made and removed. Created (initdb) where it is empty. */
  readonly dataDir?: string;
  /** For postgresql.conf, e.g. `{ max_connections: 20 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface PostgresServer {
  readonly version: PostgresVersion;
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly dataDir: string;
  /** Directory of the Unix socket. */
  readonly socketDir: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** `postgresql://…` over TCP. */
  url(database?: string): string;
  /** Fast shutdown, or an immediate one where that takes too long; removes what was made. */
  stop(): Promise<void>;
  /** Sends a signal to the postmaster and all its children, and waits until they are gone. The data directory stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same port after `kill`, or shuts down and starts. */
  restart(): Promise<void>;
}

/** How long a fast shutdown may take. */
const SHUTDOWN_MS = 20_000;

/** Starts a server on a free port of 127.0.0.1, as another user when this process is root. */
export async function startServer(options: ServerOptions = {}): Promise<PostgresServer> {
  const { version = "18", fsync = false, settings = {} } = options;
  const user = serverUser();
  const base = await mkdtemp(join(tmpdir(), `lgp-${version}-`));
  await chmod(base, 0o755);
  if (user) await chown(base, user.uid, user.gid);
  const dataDir = options.dataDir ?? join(base, "data");

  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const flags = Object.entries({
      port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: base,
      max_connections: 200,
      fsync: fsync ? "on" : "off",
      synchronous_commit: fsync ? "on" : "off",
      full_page_writes: fsync ? "on" : "off",
      ...settings,
    }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const starting = spawnPostgres(version, "postgres", ["-D", dataDir, ...flags]);
    child = starting;
    const output = outputOf(starting);
    while (!(await isReady(dataDir, starting.pid))) {
      if (starting.exitCode !== null || starting.signalCode !== null) {
        throw new Error(`PostgreSQL ${version} did not start: ${output()}`);
      }
      await sleep(10);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };
  // PostgreSQL 18 was seen to stay for ever, idle, when it was to shut down after its disk had been full.
  const quit = (): void => {
    process.emitWarning(`PostgreSQL ${version} does not shut down; it is ended as by a crash.`);
    child?.kill("SIGQUIT");
  };
  const shutDown = async (): Promise<void> => {
    const impatience = setTimeout(quit, SHUTDOWN_MS);
    await end("SIGINT").finally(() => clearTimeout(impatience));
  };

  try {
    if (!(await hasCluster(dataDir))) await createCluster(version, dataDir);
    await start();
  } catch (error) {
    await rm(base, { recursive: true, force: true });
    throw error;
  }
  // A test runner that is killed runs no teardown. This shell waits for our end of its input.
  const guard = spawn(
    "sh",
    ["-c", GUARD, "guard", join(dataDir, "postmaster.pid"), base],
    { stdio: ["pipe", "ignore", "ignore"], detached: true }, // no Ctrl+C for the guard
  );
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void }).unref?.();

  return {
    version,
    host: "127.0.0.1",
    port,
    dataDir,
    socketDir: base,
    get pid() {
      return child?.pid ?? 0;
    },
    url: (database = "postgres") =>
      `postgresql://${SUPERUSER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`,
    async stop() {
      await shutDown();
      guard.kill("SIGKILL");
      await rm(base, { recursive: true, force: true, maxRetries: 5 });
    },
    async kill(signal = "SIGKILL") {
      const pids = [child?.pid ?? 0, ...(await childrenOf(child?.pid ?? 0))];
      const gone = end(signal);
      for (const pid of pids.slice(1)) sendSignal(pid, signal);
      await gone;
      // The children hold the shared memory; while one lives no new postmaster starts.
      while (pids.some(isAlive)) await sleep(5);
    },
    async restart() {
      await shutDown();
      await start();
    },
  };
}

/** Kills the server in the pid file, and removes the directory, when its input ends. */
const GUARD = `cat > /dev/null
pid=$(head -n 1 "$1" 2>/dev/null) && kill -QUIT "$pid" && sleep 1
rm -rf "$2"`;

async function isReady(dataDir: string, pid: number | undefined): Promise<boolean> {
  const file = await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "");
  const lines = file.split("\n");
  // The file of a killed server stays. The eighth line is the word that connections are taken.
  return lines[0] === String(pid) && lines[7]?.trim() === "ready";
}

async function hasCluster(dataDir: string): Promise<boolean> {
  return (await readdir(dataDir).catch((): string[] => [])).includes("PG_VERSION");
}

async function childrenOf(pid: number): Promise<number[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(async () => {
    const child = spawn("pgrep", ["-P", String(pid)], { stdio: ["ignore", "pipe", "ignore"] });
    const output = outputOf(child);
    await once(child, "exit");
    return output();
  });
  return listed.split(/\s+/).filter(Boolean).map(Number);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * A port that nobody listens on, below those that systems give to outgoing connections: a client
 * that keeps asking for a port of that range while the server is down may connect to itself.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer().listen(port, "127.0.0.1");
    const isFree = await once(probe, "listening").then(
      () => true,
      () => false,
    );
    probe.close();
    if (isFree) return port;
  }
}
