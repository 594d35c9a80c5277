import pg from "pg";
import { DatabaseError } from "../errors.ts";
import type { ConnectionSettings, SessionKind, Target } from "./connection-settings.ts";
import { codeOf, isTransient, markTransient } from "./failures.ts";
import { adviceOn } from "./translate.ts";

type ClientConfig = pg.ClientConfig;

type ConnectCallback = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** What is replaced on a client before it connects; its types call most of it private. */
interface Reroutable {
  host: string;
  port: number;
  ssl: unknown;
  connection: { stream: { destroy(): void } };
}

/**
 * A `pg.Client` that goes to the first of the targets that answers and is of the wanted kind. `pg`
 * itself knows neither several hosts nor `target_session_attrs`.
 *
 * A client can connect only once, so where there is a choice it is made with throwaway clients, and
 * the target that was found is kept until a connection to it fails.
 */
export function pooledClient(settings: ConnectionSettings): typeof pg.Client {
  const { targets } = settings;
  const [only] = targets;
  let found: Target | undefined = targets.length === 1 ? only : undefined;
  let search: Promise<Target> | undefined;

  class PooledClient extends pg.Client {
    readonly #config: ClientConfig;

    constructor(config?: string | ClientConfig) {
      const given = typeof config === "object" ? config : {};
      const full = {
        ...given,
        // The pool keeps it out of what is enumerated, and so out of the copy.
        password: given.password,
        connectionTimeoutMillis: settings.connectTimeout,
      } as ClientConfig;
      super(full);
      this.#config = full;
      // Between the pool's listener and its user's there are moments without any.
      this.on("error", () => {});
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: ConnectCallback): void;
    override connect(callback?: ConnectCallback): Promise<pg.Client> | undefined {
      const opening = this.#open();
      if (callback === undefined) return opening;
      opening.then(
        (client) => (callback as (error: null, client: pg.Client) => void)(null, client),
        (error: Error) => (callback as (error: Error) => void)(error),
      );
      return undefined;
    }

    async #open(): Promise<pg.Client> {
      const self = this as unknown as Reroutable;
      let target = found;
      if (target === undefined) {
        search ??= firstThatFits(this.#config, settings).finally(() => {
          search = undefined;
        });
        target = await search;
        found = target;
      }
      try {
        if (target !== only) reroute(self, this.#config, target);
        await super.connect();
        await checkSession(this as pg.Client, settings, target);
        return this as pg.Client;
      } catch (error) {
        if (targets.length > 1) found = undefined;
        // After a failed login `pg` leaves the socket open.
        self.connection.stream.destroy();
        throw error;
      }
    }
  }
  return PooledClient as unknown as typeof pg.Client;
}

/** Points a client that has not connected yet at another target. */
function reroute(client: Reroutable, config: ClientConfig, target: Target): void {
  const other = new pg.Client({
    ...config,
    password: config.password,
    ...target,
  } as pg.ClientConfig);
  const { host, port, ssl, connection } = other as unknown as Reroutable;
  Object.assign(client, { host, port, ssl, connection });
}

async function firstThatFits(config: ClientConfig, settings: ConnectionSettings): Promise<Target> {
  const failures: { readonly target: Target; readonly error: unknown }[] = [];
  for (const target of settings.targets) {
    const client = new pg.Client({ ...config, ...target } as pg.ClientConfig);
    client.on("error", () => {});
    try {
      await client.connect();
      await checkSession(client, settings, target);
      return target;
    } catch (error) {
      failures.push({ target, error });
    } finally {
      // Not waited for: a host that hangs must not hold up the next one.
      client.end().catch(() => {});
      (client as unknown as Reroutable).connection.stream.destroy();
    }
  }
  throw noneFits(failures);
}

/** What tells the kinds apart. In recovery (on a standby) all transactions are read-only. */
const FITS: Readonly<Record<SessionKind, (readOnly: boolean, recovery: boolean) => boolean>> = {
  any: () => true,
  "read-write": (readOnly) => !readOnly,
  "read-only": (readOnly) => readOnly,
  primary: (_, recovery) => !recovery,
  standby: (_, recovery) => recovery,
};

async function checkSession(
  client: pg.Client,
  { session: wanted, connectTimeout }: ConnectionSettings,
  { host, port }: Target,
): Promise<void> {
  if (wanted === "any") return;
  const { rows } = await client.query<[string, string]>({
    text: "SELECT current_setting('transaction_read_only'), pg_catalog.pg_is_in_recovery()::text",
    rowMode: "array",
    query_timeout: connectTimeout,
  } as pg.QueryArrayConfig);
  const [readOnly, recovery] = rows[0] ?? [];
  if (FITS[wanted](readOnly === "on", recovery === "true")) return;
  // Transient: the server may be promoted the next moment.
  throw new DatabaseError(
    "CONNECTION_FAILED",
    `${host}:${port} is not what target_session_attrs=${wanted} asks for.`,
    { sqlState: "25006" },
  );
}

function noneFits(failures: readonly { target: Target; error: unknown }[]): DatabaseError {
  const errors = failures.map(({ error }) => error);
  const reasons = failures.map(
    ({ target: { host, port }, error }) => `${host}:${port}: ${reasonOf(error)}`,
  );
  const advice = new Set(errors.flatMap((error) => adviceOn(error) ?? []));
  const error = new DatabaseError(
    "CONNECTION_FAILED",
    [`None of the ${failures.length} hosts could be used. ${reasons.join("; ")}.`, ...advice].join(
      " ",
    ),
    { cause: new AggregateError(errors, "no host could be used") },
  );
  if (errors.some(isTransient)) markTransient(error);
  return error;
}

function reasonOf(error: unknown): string {
  const words = error instanceof Error ? error.message : "";
  return words === "" ? (codeOf(error) ?? "no answer") : words;
}
