import { DatabaseError, LangGraphPostgresError } from "../errors.ts";
import { codeOf, isTransient, lacksTls, markTransient, sqlStateOf } from "./failures.ts";

/**
 * Classes of SQLSTATE whose messages name tables, columns and limits, but never what a row or a
 * parameter holds. The messages of all others stay in the cause: a payload must not reach a log.
 */
const QUOTABLE_CLASSES = new Set([
  ...["08", "0A", "23", "25", "26", "28", "2B", "3D", "3F", "40"],
  ...["42", "53", "54", "55", "57", "58", "F0", "XX"],
]);

const UNTRUSTED_CERTIFICATE =
  "Give the authority's certificate with sslrootcert=/path/to/ca.pem; sslmode=require encrypts without checking who answers.";

/** What a person can do about it, by SQLSTATE or errno. */
const ADVICE: Readonly<Record<string, string>> = {
  "08P01": "If a pooler answers here, check its own log and settings.",
  "25006": "The server is read-only: name the primary too and set target_session_attrs=read-write.",
  "28000": "Check the user, and whether the server demands TLS (sslmode=require).",
  "28P01": "Check user and password in the connection string, or PGUSER and PGPASSWORD.",
  "3D000": "Create the database, or correct its name in the connection string or in PGDATABASE.",
  "42501": "Grant the role the right that it lacks.",
  "53100": "Free disk space on the server.",
  "53300":
    "Lower maxConns, raise the server's max_connections, or put PgBouncer in front of the server.",
  "55P03": "Another session held a lock for longer than lock_timeout.",
  "57014": "The statement was cancelled, or took longer than statement_timeout.",
  ECONNREFUSED: "Check that the server runs, and that host and port are right.",
  ETIMEDOUT: "Check host, port and firewall.",
  ENOTFOUND: "Check the host's name.",
  ENOENT: "Check that the server runs, and that the directory of its socket is right.",
  CERT_HAS_EXPIRED: "Renew the server's certificate.",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED_CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED_CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED_CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED_CERTIFICATE,
  // An authority of the right name and with another key: as was renewed on one side only.
  CERT_SIGNATURE_FAILURE: UNTRUSTED_CERTIFICATE,
  CERT_NOT_YET_VALID: "Check the clocks of this machine and of the one that made the certificate.",
  ERR_TLS_CERT_ALTNAME_INVALID: "Connect by a name that stands in the server's certificate.",
};

const NO_TLS = "Turn ssl on in the server's settings, or go without by sslmode=disable.";

/** What a person can do about the driver's error, if that is known. */
export function adviceOn(error: unknown): string | undefined {
  return lacksTls(error) ? NO_TLS : ADVICE[sqlStateOf(error) ?? codeOf(error) ?? ""];
}

/** SQLSTATEs that tell of the way to the server or of the login, not of a statement. */
const CONNECTION_STATES = /^(08|28|3D|57P|53300|25006)/;

/** The error as this package raises it; the driver's error is kept as its `cause`. */
export function translate(error: unknown, doing: string): LangGraphPostgresError {
  if (error instanceof LangGraphPostgresError) return error;
  const state = sqlStateOf(error);
  const code = state ?? codeOf(error);
  const advice = adviceOn(error);
  const translated = new DatabaseError(
    state === undefined || CONNECTION_STATES.test(state) ? "CONNECTION_FAILED" : "DATABASE_ERROR",
    `${doing} failed: ${describeFailure(error, state, code)}${advice ? ` ${advice}` : ""}`,
    { cause: error, sqlState: state },
  );
  // Whether to do it again is asked of the translated error, too.
  if (isTransient(error)) markTransient(translated);
  return translated;
}

function describeFailure(
  error: unknown,
  state: string | undefined,
  code: string | undefined,
): string {
  if (state !== undefined && !QUOTABLE_CLASSES.has(state.slice(0, 2))) {
    return `the server refused a value (SQLSTATE ${state}); its own words are in the cause.`;
  }
  // Node gives no words to a connection refused on all addresses of a name.
  const words = (error instanceof Error && error.message) || "the connection failed";
  if (state !== undefined) return `${words} (SQLSTATE ${state}).`;
  return code === undefined || words.includes(code) ? `${words}.` : `${words} (${code}).`;
}
