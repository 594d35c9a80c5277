/** PostgreSQL inside the process: PGlite, opened, looked after and closed. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { PGlite, PGliteOptions } from "@electric-sql/pglite";
import { DatabaseError, LangGraphPostgresError } from "../errors.ts";
import { lockDirectory } from "./directory-lock.ts";
import { keepForReuse, takeSpare } from "./embedded-spare.ts";

/** A PostgreSQL that is spoken to in its protocol, one message or batch of messages at a time. */
export interface Engine {
  readonly lite: PGlite;
  close(): Promise<void>;
}

/** The name that stands for a database in memory. */
export const MEMORY = "memory";

const DATA = "pgdata";

/** A database in memory before its first use; loading it is several times faster than initdb. */
let template: Promise<Blob> | undefined;

/** Says where the tarball is that databases in memory begin with. For tests, which are many processes. */
export function useTemplate(read: () => Promise<Uint8Array<ArrayBuffer>>): void {
  template ??= read().then((bytes) => new Blob([bytes]));
}

/** A tarball for {@link useTemplate}. */
export async function makeTemplate(): Promise<Blob> {
  const { PGlite } = await loadPGlite();
  const lite = await open(PGlite, {});
  const tarball = await dump(lite);
  await lite.close();
  return tarball;
}

/** A fresh database in memory. */
export async function openMemory(): Promise<Engine> {
  const { PGlite } = await loadPGlite();
  let lite = takeSpare();
  if (lite === undefined && template !== undefined) {
    lite = await open(PGlite, { loadDataDir: await template });
  }
  if (lite === undefined) {
    const opening = open(PGlite, {});
    template = opening.then(dump);
    try {
      // Before anything is written to it.
      await template;
    } catch (error) {
      template = undefined;
      throw error;
    }
    lite = await opening;
  }
  const opened = lite;
  return { lite: opened, close: () => keepForReuse(opened) };
}

/** The database in a directory, which is created where it is missing. */
export async function openDirectory(directory: string): Promise<Engine> {
  const { PGlite } = await loadPGlite();
  const path = resolve(directory);
  const unlock = await takeDirectory(path).catch((cause: Error) => {
    if (cause instanceof LangGraphPostgresError) throw cause;
    throw new DatabaseError(
      "CONNECTION_FAILED",
      `${path} cannot be used as the directory of the embedded database: ${cause.message}.`,
      { cause },
    );
  });
  try {
    const lite = await openFiles(PGlite, path);
    return {
      lite,
      async close() {
        await lite.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function takeDirectory(path: string): Promise<() => Promise<void>> {
  await mkdir(path, { recursive: true });
  return lockDirectory(join(path, `${DATA}.lock`));
}

async function openFiles(lite: typeof PGlite, path: string): Promise<PGlite> {
  // What PGlite has made by itself has no directory of its own in the directory.
  const dataDir = existsSync(join(path, "PG_VERSION")) ? path : join(path, DATA);
  // There from before the first file is made until all are: what a crash leaves is made anew.
  const unfinished = join(path, `${DATA}.unfinished`);
  if (existsSync(unfinished)) await rm(dataDir, { recursive: true, force: true });
  else if (existsSync(join(dataDir, "PG_VERSION"))) return open(lite, { dataDir }).catch(notOpened);
  if ((await readdir(dataDir).catch((): string[] => [])).length > 0) {
    throw new DatabaseError(
      "CONNECTION_FAILED",
      `${dataDir} holds something that is no embedded database. Name another directory.`,
    );
  }
  await writeFile(unfinished, "");
  const loadDataDir = await template;
  const made = await open(lite, { dataDir, ...(loadDataDir && { loadDataDir }) });
  await rm(unfinished);
  return made;
}

function notOpened(cause: unknown): never {
  throw new DatabaseError(
    "CONNECTION_FAILED",
    "The embedded database could not be opened. Was its directory made by another version of @electric-sql/pglite, or damaged?",
    { cause },
  );
}

async function open(lite: typeof PGlite, options: PGliteOptions): Promise<PGlite> {
  return lite.create({
    ...options,
    startParams: [
      ...lite.defaultStartParams,
      // Most of the memory that it takes otherwise.
      ...["-c", "shared_buffers=16MB"],
      // A timer that would keep the process alive.
      ...["-c", "log_startup_progress_interval=0"],
    ],
    // Segments of 1 MB instead of 16: an empty database is half as large.
    initDbStartParams: ["--wal-segsize=1"],
  });
}

async function dump(lite: PGlite): Promise<Blob> {
  await lite.exec("CHECKPOINT");
  return lite.dumpDataDir("none");
}

function loadPGlite(): Promise<typeof import("@electric-sql/pglite")> {
  return import("@electric-sql/pglite").catch((cause: unknown) => {
    throw new LangGraphPostgresError(
      "DEPENDENCY_MISSING",
      "Embedded PostgreSQL needs the package @electric-sql/pglite. Install it: npm install @electric-sql/pglite",
      { cause },
    );
  });
}
