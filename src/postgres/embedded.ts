import pg from "pg";
import { InvalidOptionError } from "../errors.ts";
import { describe } from "../options.ts";
import { MEMORY, openDirectory, openMemory } from "./embedded-engine.ts";
import { embeddedStreams } from "./embedded-stream.ts";

/**
 * Opens PostgreSQL inside this process, by the optional package `@electric-sql/pglite`. Returns a
 * `pg.Pool` of one connection: what runs in a transaction must not ask the pool for another.
 *
 * @param dataDir The directory of the database, created where it is missing; or `"memory"` for a
 * fresh one that is gone with `pool.end()`. A directory belongs to one process at a time. It
 * survives the death of the process at any moment, but, unlike a server's, not that of the machine:
 * nothing waits for the disk.
 *
 * @throws {@link LangGraphPostgresError} `DEPENDENCY_MISSING` without the package,
 * `DIRECTORY_IN_USE` where another process has the directory open.
 *
 * @example
 * ```ts
 * const pool = await embedded("./.langgraph");
 * await pool.query("SELECT 1");
 * await pool.end();
 * ```
 */
export async function embedded(dataDir: string): Promise<pg.Pool> {
  if (typeof dataDir !== "string" || dataDir.trim() === "") {
    throw new InvalidOptionError(
      `embedded must name a directory, or be "${MEMORY}"; got ${describe(dataDir)}.`,
    );
  }
  const engine = await (dataDir === MEMORY ? openMemory() : openDirectory(dataDir));
  const pool = new pg.Pool({
    stream: embeddedStreams(engine.lite),
    max: 1,
    min: 1,
    allowExitOnIdle: true,
    // All that PG* variables would fill in otherwise.
    host: "embedded",
    port: 5432,
    user: "postgres",
    password: "postgres",
    database: "postgres",
    ssl: false,
  } as pg.PoolConfig);
  pool.on("error", () => {});
  const end = pool.end.bind(pool) as () => Promise<void>;
  const endAll = async (): Promise<void> => {
    await end();
    await engine.close();
  };
  pool.end = ((callback?: () => void) => {
    const ended = endAll();
    if (callback === undefined) return ended;
    ended.then(callback, callback);
    return undefined;
  }) as typeof pool.end;
  return pool;
}
