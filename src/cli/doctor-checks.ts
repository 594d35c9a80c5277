/** What `doctor` looks at: each check finds something out and says what to do about it. */
import type { Row } from "../postgres/database.ts";
import { statement } from "../postgres/statement.ts";
import { compareManifest } from "../schema/compare-manifest.ts";
import type { Storage } from "../storage/storage.ts";
import { statsStatements } from "../threads/stats-statements.ts";
import { clockDifference, detectPooler } from "./doctor-probes.ts";

export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "problem";
  readonly found: string;
  /** What to do; where there is something. */
  readonly advice?: string;
}

export interface Examined {
  readonly storage: Storage;
  /** Whether the database is a process of its own, and not the embedded one. */
  readonly isServer: boolean;
}

type Check = (examined: Examined) => Promise<Omit<Finding, "check">[]>;

const OLDEST = 14;
/** Milliseconds that clocks may differ by. */
const CLOCK_TOLERANCE = 2000;
const BACKLOG = 1000;

const row = async (
  { storage }: Examined,
  label: string,
  sql: string,
  parameters: string[] = [],
): Promise<Row> =>
  (await storage.bare.execute(statement(`doctor_${label}`, sql), parameters))[0] ?? [];

const ok = (found: string): Omit<Finding, "check">[] => [{ state: "ok", found }];
const warning = (found: string, advice: string): Omit<Finding, "check">[] => [
  { state: "warning", found, advice },
];
const problem = (found: string, advice: string): Omit<Finding, "check">[] => [
  { state: "problem", found, advice },
];

/** By the name that they are shown under. The first failing means that the others cannot be asked. */
export const CHECKS: Readonly<Record<string, Check>> = {
  async reachable(examined) {
    const began = performance.now();
    const [, readOnly] = await row(
      examined,
      "reachable",
      "SELECT 'here', (pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on')::text",
    );
    const took = `answers in ${Math.max(1, Math.round(performance.now() - began))} ms`;
    return readOnly === "true"
      ? problem(
          `${took}, but is read-only`,
          "Name the primary, and set target_session_attrs=read-write.",
        )
      : ok(took);
  },

  async "server version"(examined) {
    const [version = "", number] = await row(
      examined,
      "version",
      "SELECT current_setting('server_version'), current_setting('server_version_num')",
    );
    const major = Math.floor(Number(number) / 10_000);
    return major >= OLDEST
      ? ok(`PostgreSQL ${version}`)
      : problem(`PostgreSQL ${version}`, `Tested are ${OLDEST} and newer: upgrade the server.`);
  },

  async TLS(examined) {
    if (!examined.isServer) return ok("not needed: the database is in this process");
    const [encrypted, version, local] = await row(
      examined,
      "tls",
      `SELECT s.ssl::text, s.version, (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1')::text
FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()`,
    );
    if (encrypted === "true") return ok(version ?? "encrypted");
    if (local === "true") return ok("not encrypted, but the connection does not leave the machine");
    return warning(
      "not encrypted",
      "Add sslmode=verify-full (with sslrootcert) or at least sslmode=require to the connection string.",
    );
  },

  async rights(examined) {
    const { names } = examined.storage;
    // By oid: looking a table up by its name fails where the schema may not be used.
    const [schema, missing, canCreate] = await row(
      examined,
      "rights",
      `SELECT COALESCE(has_schema_privilege(n.oid, 'USAGE'), false)::text, (
  SELECT string_agg(c.relname || ': ' || r, ', ')
  FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r
  WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, r)
    AND c.relname = ANY (ARRAY[$2, $2 || '_threads', $2 || '_values', $2 || '_chunks', $2 || '_writes', $2 || '_adoptions'])
), COALESCE(has_schema_privilege(n.oid, 'CREATE'), false)::text
FROM (SELECT 1) x LEFT JOIN pg_namespace n ON n.nspname = $1::text`,
      [names.schemaName, names.tableName],
    );
    const grant = `GRANT USAGE ON SCHEMA ${names.schema} TO …; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${names.schema} TO …`;
    if (schema !== "true") {
      return problem(
        `schema ${names.schema} does not exist or may not be used`,
        `Run langgraph-postgres migrate, or as its owner: ${grant}`,
      );
    }
    if (missing) return problem(`the role lacks ${missing}`, grant);
    return ok(
      canCreate === "true"
        ? "all that graphs and migrations need"
        : "all that graphs need; migrations need another role",
    );
  },

  async schema({ storage }) {
    const differences = await compareManifest(storage.bare, storage.names);
    if (differences.length === 0) return ok("as the migrations made it");
    return differences.map(({ severity, message }) => ({
      state: severity === "error" ? "problem" : "warning",
      found: message,
      advice:
        severity === "error"
          ? "Where migrations are pending, run langgraph-postgres migrate; else undo the change."
          : "Somebody's own addition; fine if it is meant.",
    }));
  },

  async indexes(examined) {
    const { names } = examined.storage;
    const [invalid] = await row(
      examined,
      "indexes",
      `SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname), ', ' ORDER BY c.relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND NOT i.indisvalid`,
      [names.schemaName],
    );
    return invalid
      ? problem(
          `INVALID: ${invalid}`,
          `REINDEX INDEX CONCURRENTLY ${invalid.split(", ")[0]}; it costs every write and helps no read.`,
        )
      : ok("all valid");
  },

  async pooler({ storage, isServer }) {
    if (!isServer) return ok("none: the database is in this process");
    return (await detectPooler(storage.bare.pool)) === "transaction"
      ? warning(
          "a pooler in transaction mode is in between",
          "All works. Prepared statements need PgBouncer 1.21 or newer with max_prepared_statements > 0; without, each statement is planned anew.",
        )
      : ok("none, or one in session mode");
  },

  async clock({ storage }) {
    const difference = await clockDifference(storage.bare);
    return Math.abs(difference) <= CLOCK_TOLERANCE
      ? ok(`the same here and there, to ${CLOCK_TOLERANCE / 1000} s`)
      : warning(
          `this machine is ${Math.abs(Math.round(difference / 1000))} s ${difference > 0 ? "ahead of" : "behind"} the server`,
          "Nothing is lost: order and expiry go by the server. But times in checkpoints come from here; set up NTP.",
        );
  },

  async isolation(examined) {
    const [level = ""] = await row(
      examined,
      "isolation",
      "SELECT current_setting('default_transaction_isolation')",
    );
    return level === "read committed"
      ? ok(level)
      : warning(
          `the default is ${level}`,
          "Writers of one thread then fail and repeat: ALTER ROLE … SET default_transaction_isolation = 'read committed'.",
        );
  },

  async "TOAST compression"(examined) {
    const [method = "", version] = await row(
      examined,
      "toast",
      "SELECT current_setting('default_toast_compression'), current_setting('server_version_num')",
    );
    if (method === "lz4" || !examined.isServer) return ok(method ?? "");
    return warning(
      `${method} (PostgreSQL ${Math.floor(Number(version) / 10_000)})`,
      "lz4 reads and writes large values faster: ALTER SYSTEM SET default_toast_compression = 'lz4', if the server was built with it.",
    );
  },

  async expired({ storage }) {
    const [found] = await storage.bare.execute(statsStatements(storage.names).expired, []);
    const [threads, checkpoints] = [Number(found?.[0]), Number(found?.[1])];
    const text = `${threads} threads and ${checkpoints} checkpoints wait to be removed`;
    return threads + checkpoints > BACKLOG
      ? warning(text, "Start the sweeper, or run langgraph-postgres cleanup regularly.")
      : ok(text);
  },
};
