import { InvalidOptionError } from "../errors.ts";

/** libpq's parameters by name: `host`, `port`, `user`, `sslmode`, … `host` and `port` may be lists. */
export type ConnectionParameters = ReadonlyMap<string, string>;

/** Parameters that are understood. */
const KNOWN = new Set(
  (
    "host port user password dbname application_name options connect_timeout target_session_attrs " +
    "sslmode sslrootcert sslcert sslkey sslpassword"
  ).split(" "),
);

/**
 * Parameters that must not be passed over without a word: most likely misspelt, and safety or the
 * choice of the server hangs on them. Others are left alone: hosters and other tools add their own
 * (`pgbouncer`, `schema`, `channel_binding`, …).
 */
const SENSITIVE = /^(ssl|tls|target|host|port|user|pass|db|connect_|require)/;

const URI = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const HOST = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d*))?$/;
const KEYWORD = /\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/gy;

/**
 * Reads a connection string, `postgresql://user:password@host:port,host:port/dbname?sslmode=…` or
 * `host=… port=… dbname=…`. No error repeats any of it: there is a password in it.
 */
export function parseConnectionString(text: string): ConnectionParameters {
  const parameters = /^postgres(ql)?:\/\//.test(text) ? parseUri(text) : parseKeywords(text);
  for (const name of parameters.keys()) {
    if (KNOWN.has(name) || !SENSITIVE.test(name)) continue;
    throw new InvalidOptionError(
      `The connection string has the parameter "${name.slice(0, 40)}", which is not supported. Supported: ${[...KNOWN].join(", ")}.`,
    );
  }
  return parameters;
}

function parseUri(text: string): Map<string, string> {
  const [, authority = "", path = "", search = ""] = URI.exec(text) ?? unreadable();
  const at = authority.lastIndexOf("@");
  const [user = "", ...password] = at < 0 ? [] : authority.slice(0, at).split(":");
  const hosts = authority.slice(at + 1);
  const found = new Map<string, string>();
  const set = (name: string, value: string): void => {
    if (value !== "") found.set(name, value);
  };
  set("user", decode(user));
  set("password", decode(password.join(":")));
  set("dbname", decode(path));
  if (hosts !== "") {
    const parts = hosts.split(",").map((host) => HOST.exec(host) ?? unreadable());
    set("host", parts.map(([, v6, name = ""]) => v6 ?? decode(name)).join(","));
    if (parts.some((part) => part[3])) set("port", parts.map((part) => part[3] ?? "").join(","));
  }
  for (const [name, value] of new URLSearchParams(search)) set(...alias(name, value));
  return found;
}

function parseKeywords(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let end = 0;
  for (const match of text.matchAll(KEYWORD)) {
    end = match.index + match[0].length;
    const value = (match[2] ?? match[3] ?? "").replace(/\\(.)/gs, "$1");
    if (value !== "") found.set(...alias((match[1] ?? "").toLowerCase(), value));
  }
  if (end === 0 || text.slice(end).trim() !== "") unreadable();
  return found;
}

/** `ssl=true` is how JDBC and others spell `sslmode=require`. */
function alias(name: string, value: string): [string, string] {
  if (name !== "ssl") return [name, value];
  return ["sslmode", value === "true" || value === "1" ? "require" : "disable"];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return unreadable();
  }
}

function unreadable(): never {
  throw new InvalidOptionError(
    'The connection string must look like "postgresql://user:password@host:5432/database?sslmode=require" ' +
      'or "host=… port=… user=… password=… dbname=…". Characters such as @ : / ? # % in a user or password ' +
      "must be percent-encoded in the first form.",
  );
}
