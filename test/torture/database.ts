/** A server and a schema with the package's tables for one campaign. */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { createPool, PostgresSaver } from "../../src/index.ts";
import type { StorageSettings } from "../../src/options.ts";
import {
  type PostgresServer,
  type ServerOptions,
  startServer,
} from "../support/postgres-server.ts";

export interface CampaignDatabase {
  readonly connString: string;
  readonly schema: string;
  /** The server, where it is the campaign's own. */
  readonly server: PostgresServer | undefined;
  /** A saver with an empty memory on a pool of its own, for judging; with keys where the tables need them. */
  withFreshSaver<T>(
    use: (saver: PostgresSaver, pool: pg.Pool) => Promise<T>,
    settings?: Pick<StorageSettings, "encryption">,
  ): Promise<T>;
  end(): Promise<void>;
}

/** On the server that is given, or on one of its own with these options. */
export async function openDatabase(
  connString?: string,
  options: ServerOptions = {},
): Promise<CampaignDatabase> {
  const server = connString === undefined ? await startServer(options) : undefined;
  const url = connString ?? server?.url() ?? "";
  const schema = `torture_${randomUUID().slice(0, 8)}`;
  const withFreshSaver: CampaignDatabase["withFreshSaver"] = async (use, settings = {}) => {
    const pool = createPool({ connString: url, maxConns: 2 });
    try {
      return await use(new PostgresSaver(pool, undefined, { ...settings, schema }), pool);
    } finally {
      await pool.end();
    }
  };
  await withFreshSaver((saver) => saver.setup());
  return {
    connString: url,
    schema,
    server,
    withFreshSaver,
    async end() {
      if (server) return server.stop();
      const pool = createPool({ connString: url, maxConns: 1 });
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    },
  };
}
