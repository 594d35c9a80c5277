/**
 * One process at a time for a data directory. PostgreSQL's own guard, `postmaster.pid`, means
 * nothing when PostgreSQL runs inside a process, and two of them on one directory destroy it.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "../errors.ts";

/** How long a process that is about to end may take to let go, in milliseconds. */
const PATIENCE = 2000;
const PAUSE = 50;

/**
 * Of a holder in another container or on another machine only the file's age tells whether it
 * lives: it renews the file this often, and counts as dead after that long, in milliseconds.
 */
const RENEWAL = 2000;
const DEAD_AFTER = 15_000;

interface Holder {
  readonly pid: number;
  /** When the process began, as the system tells it; a number is soon given to another process. */
  readonly started: string;
  /** Where the pid means something: a kernel's run and its process namespace. */
  readonly space: string;
}

/** Takes the lock; the result gives it back. Fails when another process, or this one, has it. */
export async function lockDirectory(file: string): Promise<() => Promise<void>> {
  const self: Holder = { pid: process.pid, started: startOf(process.pid), space: pidSpace() };
  const end = performance.now() + PATIENCE;
  while (!(await create(file, self))) {
    const holder = await readHolder(file);
    if (!(await isHeld(file, holder))) await clear(file);
    else if (performance.now() > end) throw inUse(file, holder);
    else await sleep(PAUSE);
  }
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, RENEWAL);
  renewal.unref();
  return async () => {
    clearInterval(renewal);
    await rm(file, { force: true });
  };
}

async function create(file: string, self: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(self), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the lock of a dead holder. Two that do so at once must not remove each other's new one. */
async function clear(file: string): Promise<void> {
  const guard = `${file}.clearing`;
  try {
    await mkdir(guard);
  } catch {
    if ((await ageOf(guard)) > DEAD_AFTER) await rm(guard, { recursive: true, force: true });
    await sleep(PAUSE);
    return;
  }
  try {
    if (!(await isHeld(file, await readHolder(file)))) await rm(file, { force: true });
  } finally {
    await rm(guard, { recursive: true, force: true });
  }
}

async function isHeld(file: string, holder: Holder | undefined): Promise<boolean> {
  const age = await ageOf(file);
  // Gone, or not yet written.
  if (holder === undefined) return age < PATIENCE / 2;
  if (holder.space !== pidSpace()) return age < DEAD_AFTER;
  return isAlive(holder.pid) && startOf(holder.pid) === holder.started;
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as Holder | null) ?? undefined;
  } catch {
    return undefined;
  }
}

async function ageOf(file: string): Promise<number> {
  try {
    return Date.now() - (await stat(file)).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process, which may not be signalled, lives.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return stateOf(pid) !== "Z";
}

/** Fields of /proc/<pid>/stat behind the command's name, which may hold spaces and parentheses. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

const stateOf = (pid: number): string => statOf(pid)[0] ?? "";
const startOf = (pid: number): string => statOf(pid)[19] ?? "";

function pidSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

function inUse(file: string, holder: Holder | undefined): DatabaseError {
  const who =
    holder === undefined
      ? "another process"
      : holder.pid === process.pid && holder.space === pidSpace()
        ? "this process already"
        : `the process ${holder.pid}`;
  return new DatabaseError(
    "DIRECTORY_IN_USE",
    `The embedded database is open in ${who} (${file}). Only one process at a time can open a directory: ` +
      "close it there, or use a PostgreSQL server.",
  );
}
