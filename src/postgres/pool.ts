import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { DatabaseError, InvalidOptionError } from "../errors.ts";
import { type Duration, describe, parseDuration, refuseUnknownKeys } from "../options.ts";
import { type ConnectionSettings, connectionSettings } from "./connection-settings.ts";
import { keepHealthy } from "./pool-health.ts";
import { pooledClient } from "./pooled-client.ts";

/** How a pool connects, and how many connections it keeps. */
export interface PoolOptions {
  /**
   * `postgresql://user:password@host:5432/database?sslmode=require`, or `host=… dbname=…`. Knows
   * several hosts (`@a:5432,b:5432/`), `target_session_attrs`, Unix sockets
   * (`postgresql:///db?host=/run/postgresql`), `sslmode` (`disable`, the default, to `verify-full`)
   * with `sslrootcert`, `sslcert` and `sslkey`, `application_name`, `connect_timeout`, `options`.
   * What it leaves open comes from the `PG*` variables of the environment.
   */
  readonly connString?: string | undefined;
  /** Most connections that are open at once. Default 10. */
  readonly maxConns?: number;
  /** Connections that are kept open even when nobody uses them. Default 0. */
  readonly minConns?: number;
  /** Age at which a connection is replaced. Default `"1h"`. */
  readonly maxConnLifetime?: Duration;
  /** Time after which an unused connection is closed. Default `"30m"`. */
  readonly maxConnIdleTime?: Duration;
  /** How often idle connections are asked whether they are alive. Default `"1m"`. */
  readonly healthCheckPeriod?: Duration;
  /** Called with a connection before it is handed out; where it returns false, another one is taken. */
  readonly beforeAcquire?: (client: pg.PoolClient) => boolean | Promise<boolean>;
  /** TLS as Node's `tls.connect` takes it; `true` verifies fully. Overrides `sslmode`. */
  readonly ssl?: boolean | ConnectionOptions;
  /** Name that the server shows in `pg_stat_activity`. Default `"langgraph-postgres"`. */
  readonly applicationName?: string;
}

const OPTION_NAMES: readonly (keyof PoolOptions)[] = [
  "connString",
  "maxConns",
  "minConns",
  "maxConnLifetime",
  "maxConnIdleTime",
  "healthCheckPeriod",
  "beforeAcquire",
  "ssl",
  "applicationName",
];

/**
 * Opens a pool: a `pg.Pool`, which can be used for anything else too. It survives the loss of idle
 * connections, does not keep the process alive by itself, and is ended with `pool.end()`.
 *
 * @throws {@link InvalidOptionError} for an option that is unknown or impossible. Nothing is
 * connected yet: a server that cannot be reached shows at the first use.
 *
 * @example
 * ```ts
 * const pool = createPool({ connString: process.env.DATABASE_URL, maxConns: 20, minConns: 2 });
 * await pool.query("SELECT 1");
 * await pool.end();
 * ```
 */
export function createPool(options: PoolOptions = {}): pg.Pool {
  refuseUnknownKeys(options, OPTION_NAMES, "The pool");
  const maxConns = wholeNumber(options.maxConns ?? 10, "maxConns", 1);
  const minConns = wholeNumber(options.minConns ?? 0, "minConns", 0);
  if (minConns > maxConns) {
    throw new InvalidOptionError(
      `minConns (${minConns}) must not be above maxConns (${maxConns}).`,
    );
  }
  const maxIdle = parseDuration(options.maxConnIdleTime ?? "30m", "maxConnIdleTime");
  const maxLifetime = parseDuration(options.maxConnLifetime ?? "1h", "maxConnLifetime");
  const period = parseDuration(options.healthCheckPeriod ?? "1m", "healthCheckPeriod");
  const settings = connectionSettings(options.connString, options.ssl);

  const pool = new pg.Pool({
    ...clientConfig(settings, options.applicationName),
    Client: pooledClient(settings),
    max: maxConns,
    min: minConns,
    idleTimeoutMillis: maxIdle,
    maxLifetimeSeconds: maxLifetime / 1000,
    allowExitOnIdle: true,
  });
  // Without a listener, `pg` ends the process when an idle connection dies.
  pool.on("error", () => {});
  keepHealthy(pool, { minConns, period, maxIdle });
  if (options.beforeAcquire) screen(pool, options.beforeAcquire, maxConns);
  return pool;
}

function clientConfig(settings: ConnectionSettings, applicationName?: string): pg.ClientConfig {
  const [{ host, port, ssl }] = settings.targets;
  return {
    host,
    port,
    ssl,
    user: settings.user,
    password: settings.password,
    database: settings.database,
    application_name: applicationName ?? settings.applicationName ?? "langgraph-postgres",
    options: settings.options,
    // Finds out, within hours, about a server that vanished without a goodbye.
    keepAlive: true,
  } as pg.ClientConfig;
}

/** Puts `accepts` before every handing out of a connection, `pool.query` included. */
function screen(
  pool: pg.Pool,
  accepts: NonNullable<PoolOptions["beforeAcquire"]>,
  maxConns: number,
): void {
  const take = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  const takeAccepted = async (): Promise<pg.PoolClient> => {
    // Each refused connection is closed, so after `maxConns` of them all are new.
    for (let refused = 0; refused <= maxConns; refused += 1) {
      const client = await take();
      let accepted = false;
      try {
        accepted = await accepts(client);
      } finally {
        if (!accepted) client.release(true);
      }
      if (accepted) return client;
    }
    throw new DatabaseError(
      "CONNECTION_FAILED",
      `beforeAcquire refused ${maxConns + 1} connections in a row, new ones among them.`,
    );
  };
  type Callback = (error: Error | undefined, client?: pg.PoolClient, release?: unknown) => void;
  pool.connect = ((callback?: Callback) => {
    if (callback === undefined) return takeAccepted();
    takeAccepted().then(
      (client) => callback(undefined, client, client.release),
      (error: Error) => callback(error, undefined, () => {}),
    );
    return undefined;
  }) as typeof pool.connect;
}

function wholeNumber(value: unknown, name: string, least: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw new InvalidOptionError(
    `${name} must be a whole number, ${least} or more; got ${describe(value)}.`,
  );
}
