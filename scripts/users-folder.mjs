/** What a user has: an empty folder, `npm install`, and processes started in it. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("..", import.meta.url));

/** The version of a package that this repository's lock pins: what its own tests ran with. */
export function pinned(name) {
  const lock = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8"));
  return `${name}@${lock.packages[`node_modules/${name}`].version}`;
}

/** The tarball that the command line names, or else one that is packed now. */
export async function tarballOf(argument) {
  if (argument !== undefined) return resolve(argument);
  const packed = await run(repository, process.execPath, ["scripts/pack.mjs"]);
  expectExit(packed, 0);
  return join(repository, "test-results", "package.tgz");
}

/** Calls `work` with an empty folder, which is gone afterwards. */
export async function inUsersFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), "langgraph-postgres-user-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `npm install`; what is in the cache is not asked for again. */
export async function install(folder, packages) {
  // The prefix, because under `npm run` the environment names this repository's.
  const options = [
    "--prefix",
    folder,
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--save-exact",
  ];
  expectExit(await run(folder, "npm", ["install", ...options, ...packages]), 0);
}

/**
 * Runs a program to its end. `onLine` sees each line of its output and can kill it.
 *
 * @returns {Promise<{ command: string, code: number | null, signal: string | null, lines: string[], errors: string }>}
 */
export function run(folder, command, args, onLine = () => {}) {
  const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  // Whatever hangs fails here and does not hold up the machine.
  const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
  const lines = [];
  let rest = "";
  let errors = "";
  const take = (line) => {
    lines.push(line);
    onLine(line, child);
  };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    for (const line of parts) take(line);
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (rest !== "") take(rest);
      done({ command: [command, ...args].join(" "), code, signal, lines, errors });
    });
  });
}

/** Fails with all that a program said unless it ended as expected. */
export function expectExit({ command, code, signal, lines, errors }, expected) {
  if (code === expected) return;
  const how = signal ?? `exit code ${code}`;
  throw new Error(`${command}: ${how}, expected ${expected}\n${lines.join("\n")}\n${errors}`);
}
