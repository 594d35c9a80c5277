/** Opening the store that the options name, and closing it whatever happens. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { InvalidOptionError } from "../errors.ts";
import { embedded } from "../postgres/embedded.ts";
import { createPool } from "../postgres/pool.ts";
import { statement } from "../postgres/statement.ts";
import { openStorage, type Storage } from "../storage/storage.ts";
import { encryptionFrom } from "./keys.ts";
import { type Output, outputFor } from "./output.ts";

/** The options that every command has. */
export interface GlobalOptions {
  readonly url?: string;
  readonly schema: string;
  readonly table: string;
  readonly embedded?: string;
  readonly json?: true;
}

/** What a command works with. */
export interface Session {
  readonly storage: Storage;
  readonly out: Output;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
}

const CONNECTIONS = 8;
const HELLO = statement("hello", "SELECT 'hello'");

/**
 * Runs a command's work on the store; a command that may create the embedded database's folder says so.
 */
export async function withStorage<T>(
  command: Command,
  work: (session: Session) => Promise<T>,
  options: { readonly mayCreate?: boolean; readonly allowPlaintext?: boolean } = {},
): Promise<T> {
  const { url, schema, table, embedded: folder, json } = command.optsWithGlobals<GlobalOptions>();
  if (url !== undefined && folder !== undefined) {
    throw new InvalidOptionError("--url and --embedded exclude each other.");
  }
  if (folder !== undefined && !options.mayCreate && !existsSync(folder)) {
    throw new InvalidOptionError(
      `There is no folder ${JSON.stringify(folder)}. Check --embedded, or create the database with: langgraph-postgres migrate --embedded ${folder}`,
    );
  }
  const encryption = encryptionFrom(process.env, options.allowPlaintext === true);
  const connString = url ?? process.env.DATABASE_URL;
  const pool =
    folder === undefined
      ? createPool({ ...(connString ? { connString } : {}), maxConns: CONNECTIONS })
      : await embedded(folder);
  const interrupt = interruption();
  try {
    const storage = openStorage({
      pool,
      owned: true,
      settings: { schema, tableName: table, ...(encryption ? { encryption } : {}) },
    });
    try {
      // Once, without the patience of a service: whoever waits here wants to know that nobody answers.
      await storage.bare.execute(HELLO, [], { retry: false });
      return await work({ storage, out: outputFor(json === true), signal: interrupt.signal });
    } finally {
      await storage.close();
    }
  } finally {
    interrupt.end();
  }
}

/** Ctrl-C once ends the work at its next clean point; twice ends the process. */
function interruption(): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("\nEnding at the next clean point. Ctrl-C again ends at once.\n");
    controller.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return {
    signal: controller.signal,
    end: () => void process.off("SIGINT", stop).off("SIGTERM", stop),
  };
}
