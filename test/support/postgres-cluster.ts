/** Data directories for servers: initdb once a machine, then copies. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinaries, type PostgresVersion, serverUser } from "./postgres-binaries.ts";

export const SUPERUSER = "postgres";
/** Has characters that must be escaped in a URL, and is easy to grep for. */
export const PASSWORD = "s3cr3t/p@ss:w%rd";

/** Starts a binary of PostgreSQL, as another user when this process is root. */
export function spawnPostgres(
  version: PostgresVersion,
  program: "initdb" | "postgres",
  args: readonly string[],
): ChildProcess {
  const binaries = findBinaries(version);
  return spawn(binaries[program], args, {
    ...serverUser(),
    env: { ...process.env, LC_ALL: "C", LD_LIBRARY_PATH: binaries.libraries },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The last that the process has said. */
export function outputOf(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (data: string) => {
      text = (text + data).slice(-4000);
    });
  }
  return () => text;
}

/** Makes a data directory of the directory, which must be empty or missing. */
export async function createCluster(version: PostgresVersion, path: string): Promise<void> {
  await copy(await template(version), path);
}

/** A directory that initdb has made, kept for later runs. */
async function template(version: PostgresVersion): Promise<string> {
  const args = [
    `--username=${SUPERUSER}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // Where the server can, its default collation is not that of code points, so that an order
    // that forgets COLLATE "C" is seen.
    ...(version === "18" ? ["--locale-provider=icu", "--icu-locale=en"] : []),
    "--no-sync",
  ];
  const made = JSON.stringify([findBinaries(version), process.getuid?.(), PASSWORD, args]);
  const hash = createHash("sha256").update(made).digest("hex").slice(0, 12);
  const path = join(tmpdir(), `langgraph-postgres-cluster-${version}-${hash}`);
  if (existsSync(path)) return path;

  const base = await mkdtemp(join(tmpdir(), "lgp-initdb-"));
  const user = serverUser();
  if (user) await chown(base, user.uid, user.gid);
  try {
    const passwordFile = join(base, "password");
    await writeFile(passwordFile, PASSWORD);
    const unfinished = join(base, "data");
    const child = spawnPostgres(version, "initdb", [
      `--pgdata=${unfinished}`,
      `--pwfile=${passwordFile}`,
      ...args,
    ]);
    const output = outputOf(child);
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`initdb ended with ${code}: ${output()}`);
    // Another process may have been faster.
    await rename(unfinished, path).catch((error: unknown) => {
      if (!existsSync(path)) throw error;
    });
  } finally {
    await rm(base, { recursive: true, force: true });
  }
  return path;
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const child = spawn("cp", ["-a", `${from}/.`, to], { stdio: ["ignore", "pipe", "pipe"] });
  const output = outputOf(child);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`cp ended with ${code}: ${output()}`);
}
