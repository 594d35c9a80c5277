import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { ConnectionOptions } from "node:tls";
import { InvalidOptionError } from "../errors.ts";
import { describe } from "../options.ts";
import { parseConnectionString } from "./connection-string.ts";

/** One way to reach a server. */
export interface Target {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly ssl: false | ConnectionOptions;
}

/** What a server has to be. */
export type SessionKind = "any" | "read-write" | "read-only" | "primary" | "standby";

/** All that is needed to connect. */
export interface ConnectionSettings {
  /** In the order in which they are tried; at least one. */
  readonly targets: readonly [Target, ...Target[]];
  readonly session: SessionKind;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly applicationName: string | undefined;
  /** Settings for the session, as in `PGOPTIONS`. */
  readonly options: string | undefined;
  /** Milliseconds for one target. */
  readonly connectTimeout: number;
}

const DEFAULT_PORT = 5432;
const DEFAULT_CONNECT_TIMEOUT_SECONDS = 10;

/** The environment variables of libpq that fill in what the connection string leaves open. */
const VARIABLES: Readonly<Record<string, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  dbname: "PGDATABASE",
  application_name: "PGAPPNAME",
  options: "PGOPTIONS",
  connect_timeout: "PGCONNECT_TIMEOUT",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
};

const SESSION_KINDS: readonly string[] = ["any", "read-write", "read-only", "primary", "standby"];

/** Reads a connection string and the `PG*` variables; `ssl` stands in for what they say of TLS. */
export function connectionSettings(
  connString: string | undefined,
  ssl: boolean | ConnectionOptions | undefined,
): ConnectionSettings {
  const given = connString === undefined ? new Map() : parseConnectionString(connString);
  const get = (name: string): string | undefined =>
    given.get(name) ?? (process.env[VARIABLES[name] ?? ""] || undefined);
  const user = get("user") ?? userInfo().username;
  const session = get("target_session_attrs") ?? "any";
  if (!SESSION_KINDS.includes(session)) {
    throw notOneOf("target_session_attrs", session, SESSION_KINDS);
  }
  return {
    targets: targets(get("host") ?? "localhost", get("port") ?? "", transports(get, ssl)),
    session: session as SessionKind,
    user,
    password: get("password"),
    database: get("dbname") ?? user,
    applicationName: get("application_name"),
    options: get("options"),
    connectTimeout: connectTimeout(get("connect_timeout")),
  };
}

function targets(
  hostList: string,
  portList: string,
  ways: readonly Target["ssl"][],
): ConnectionSettings["targets"] {
  const hosts = hostList.split(",");
  const ports = portList.split(",");
  if (ports.length > 1 && ports.length !== hosts.length) {
    throw new InvalidOptionError(
      `The connection string names ${hosts.length} hosts and ${ports.length} ports; name one port, or one for each host.`,
    );
  }
  const all = hosts.flatMap((host, i) => {
    const port = toPort(ports.length > 1 ? ports[i] : ports[0]);
    const name = host.trim() === "" ? "localhost" : host.trim();
    // A Unix socket is not encrypted, whatever sslmode says.
    const ssls = name.startsWith("/") ? [false as const] : ways;
    return ssls.map((ssl) => ({ host: name, port, ssl }));
  });
  return all as [Target, ...Target[]];
}

function toPort(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidOptionError("The connection string's port must be a number from 1 to 65535.");
}

/** The kinds of connection that sslmode allows, in the order in which they are tried. */
const MODES: Readonly<Record<string, (tls: ConnectionOptions) => Target["ssl"][]>> = {
  disable: () => [false],
  allow: (tls) => [false, unverified(tls)],
  prefer: (tls) => [unverified(tls), false],
  // As in libpq: with an authority at hand, `require` checks that the certificate is from it.
  require: (tls) => [tls.ca === undefined ? unverified(tls) : anyName(tls)],
  "verify-ca": (tls) => [anyName(tls)],
  "verify-full": (tls) => [tls],
};

function transports(
  get: (name: string) => string | undefined,
  ssl: boolean | ConnectionOptions | undefined,
): Target["ssl"][] {
  if (ssl !== undefined) return [ssl === true ? {} : ssl];
  const mode = get("sslmode") ?? "disable";
  const way = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
  if (way === undefined) throw notOneOf("sslmode", mode, Object.keys(MODES));
  if (mode === "disable") return [false];
  const tls: ConnectionOptions = {};
  const authority = get("sslrootcert");
  // Without one, Node's own list of authorities is asked.
  if (authority !== undefined && authority !== "system") tls.ca = readPem("sslrootcert", authority);
  const certificate = get("sslcert");
  if (certificate !== undefined) tls.cert = readPem("sslcert", certificate);
  const key = get("sslkey");
  if (key !== undefined) tls.key = readPem("sslkey", key);
  const passphrase = get("sslpassword");
  if (passphrase !== undefined) tls.passphrase = passphrase;
  return way(tls);
}

function unverified(tls: ConnectionOptions): ConnectionOptions {
  return { ...tls, rejectUnauthorized: false };
}

function anyName(tls: ConnectionOptions): ConnectionOptions {
  return { ...tls, checkServerIdentity: () => undefined };
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new InvalidOptionError(`${parameter} names a file that cannot be read: ${path}`, {
      cause,
    });
  }
}

function connectTimeout(text: string | undefined): number {
  const seconds = Number(text ?? DEFAULT_CONNECT_TIMEOUT_SECONDS);
  if (Number.isFinite(seconds) && seconds >= 0) {
    // 0 waits for ever in libpq; nothing here does.
    return (seconds === 0 ? DEFAULT_CONNECT_TIMEOUT_SECONDS : seconds) * 1000;
  }
  throw new InvalidOptionError("connect_timeout must be a number of seconds, zero or more.");
}

function notOneOf(name: string, value: string, allowed: readonly string[]): InvalidOptionError {
  return new InvalidOptionError(
    `${name} must be one of ${allowed.join(", ")}; got ${describe(value)}.`,
  );
}
