/** What kind of failure an error of the driver is: by SQLSTATE or errno, never by its words. */
import { DatabaseError } from "../errors.ts";

/** SQLSTATEs after which the same work may succeed; so may it after any of class 08. */
const TRANSIENT_STATES = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "53300", // too_many_connections
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout: the server closed the connection as we took it
  "25006", // read_only_sql_transaction: a former primary; a new connection finds the new one
]);
const CONNECTION_CLASS = "08";

/** Errors of sockets and of name resolution after which the same work may succeed. */
const TRANSIENT_ERRNOS = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOENT", // the server's Unix socket, gone while it restarts
]);

/** States after which the connection is of no more use, whatever severity they come with. */
const BREAKING_STATES = new Set(["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25006"]);

/** The server does not know the statement's name, or knows it already: PgBouncer, `DISCARD ALL`. */
const NAMING_STATES = new Set(["26000", "42P05"]);

/** Among other things: the plan kept under the name is of an older shape of the table. */
const STALE_PLAN = "0A000";

/** The SQLSTATE of an error that came from the server, else undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.sqlState;
  const code = codeOf(error);
  // "EPIPE" looks like an SQLSTATE; only what the server sends has a severity.
  return code !== undefined && severityOf(error) !== undefined ? code : undefined;
}

/** The `code` of an error: an SQLSTATE, an errno, another name, or undefined. */
export function codeOf(error: unknown): string | undefined {
  return stringProperty(error, "code");
}

/** Whether the same work may succeed when it is done again. */
export function isTransient(error: unknown): boolean {
  if (isKnownTransient(error)) return true;
  const state = sqlStateOf(error);
  return state === undefined
    ? TRANSIENT_ERRNOS.has(codeOf(error) ?? "")
    : TRANSIENT_STATES.has(state) || state.startsWith(CONNECTION_CLASS);
}

/** Whether the connection must leave the pool: after all but the server's ordinary refusals. */
export function breaksConnection(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === undefined) return true;
  if (BREAKING_STATES.has(state) || state.startsWith(CONNECTION_CLASS)) return true;
  // A connection that keeps a stale plan would meet it at every call.
  if (state === STALE_PLAN) return true;
  const severity = severityOf(error);
  return severity === "FATAL" || severity === "PANIC";
}

/** Whether, and how, a failure may be owed to the statement's name. */
export function namingFailure(error: unknown): "unknown-name" | "stale-plan" | undefined {
  const state = sqlStateOf(error);
  if (state === undefined) return undefined;
  if (NAMING_STATES.has(state)) return "unknown-name";
  return state === STALE_PLAN ? "stale-plan" : undefined;
}

// `pg` reports a connection that ends with plain errors that have no code. The connection's `error`
// event tells of the end, and errors raised after it are marked as transient. Where there is no
// event to hear (in `pool.connect()`, and in the moment after it) they are told by their words:
// in this file and nowhere else.
const transients = new WeakSet<object>();
const CONNECTION_ENDED =
  /^(Connection terminated|Client has encountered a connection error|timeout expired|timeout exceeded)/;

/** Remembers that an error that bears no code is transient. */
export function markTransient(error: unknown): void {
  if (typeof error === "object" && error !== null) transients.add(error);
}

/** Marks an error without a code that says that a connection ended. */
export function markIfConnectionEnded(error: unknown): void {
  if (codeOf(error) !== undefined || !(error instanceof Error)) return;
  if (CONNECTION_ENDED.test(error.message)) transients.add(error);
}

/** Whether the server has no TLS; the driver gives that no code either. */
export function lacksTls(error: unknown): boolean {
  return error instanceof Error && /^The server does not support SSL/.test(error.message);
}

function isKnownTransient(error: unknown): boolean {
  return typeof error === "object" && error !== null && transients.has(error);
}

function severityOf(error: unknown): string | undefined {
  return stringProperty(error, "severity");
}

function stringProperty(value: unknown, key: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = (value as Record<string, unknown>)[key];
  return typeof found === "string" ? found : undefined;
}
