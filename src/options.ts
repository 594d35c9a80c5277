/** Options are resolved once, at the door: unknown and impossible ones throw here and nowhere else. */
import { InvalidOptionError } from "./errors.ts";

/** Milliseconds, or a number with a unit: `"250ms"`, `"30s"`, `"5m"`, `"12h"`, `"30d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The duration in milliseconds; `what` names the option in the error. Must be above zero and finite. */
export function parseDuration(value: unknown, what: string): number {
  const text =
    typeof value === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value.trim()) : null;
  const ms = text ? Number(text[1]) * (UNITS[text[2] ?? ""] ?? Number.NaN) : value;
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms <= 0) {
    throw new InvalidOptionError(
      `${what} must be a duration above zero: milliseconds or a string such as "30s", "5m", "30d"; got ${describe(value)}.`,
    );
  }
  return ms;
}

/** Throws for keys that are not in `known`, naming the nearest known one where there is a likely typo. */
export function refuseUnknownKeys(options: object, known: readonly string[], what: string): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near =
      known.find((name) => name.toLowerCase() === key.toLowerCase()) ?? nearest(key, known);
    throw new InvalidOptionError(
      `${what} has no option "${key}"${near ? `; did you mean "${near}"?` : ""} Known options: ${known.join(", ")}.`,
    );
  }
}

/** How a value is shown in an error: its kind, and the value itself only where it cannot be a secret. */
export function describe(value: unknown): string {
  if (typeof value === "string") return value.length > 40 ? "a string" : JSON.stringify(value);
  if (value === null || typeof value === "number" || typeof value === "boolean")
    return String(value);
  return Array.isArray(value) ? "an array" : typeof value;
}

function nearest(key: string, known: readonly string[]): string | undefined {
  return known.find((name) => distance(name.toLowerCase(), key.toLowerCase()) <= 2);
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** How a store or a saver keeps its state. Everything is optional. */
export interface StorageSettings {
  /** Schema of the tables. Default `"langgraph"`, so that nothing collides with another package's. */
  readonly schema?: string;
  /** Name of the checkpoint table; the others are named after it. Default `"checkpoints"`. */
  readonly tableName?: string;
  /** Creates or updates the tables on first use. Default false: call `setup()` once. */
  readonly autoMigrate?: boolean;
  /**
   * How much memory may hold what was read and written, in bytes, so that it is neither read nor
   * sent again. Default 67,108,864 (64 MiB); 0 turns it off.
   */
  readonly cacheBytes?: number;
  /** How long an operation may take in all, retries included. Default `"15s"`. */
  readonly deadline?: Duration;
  /** Prepares statements by name. Default true; falls back by itself behind an old PgBouncer. */
  readonly namedStatements?: boolean;
  /**
   * Whether setting up makes an index for filters on metadata. Default false: most do not need it,
   * and every write has to keep it.
   */
  readonly metadataIndex?: boolean;
  /** What expires, and when. Default: nothing does. */
  readonly ttl?: TtlSettings;
  /**
   * What happens when two runs continue one thread from the same checkpoint. `"branch"`, the
   * default, is LangGraph's own behaviour: both go on, the later write is the latest. `"detect"`
   * refuses the second with a ThreadConflictError, unless it forks on purpose (its config names a
   * `checkpoint_id`, or it is an `updateState`); a put then takes four round trips instead of one.
   */
  readonly conflicts?: "branch" | "detect";
  /**
   * Threads that are not here yet are taken over from the tables of
   * `@langchain/langgraph-checkpoint-postgres` in the same database, each when this process first
   * touches it. Default: none are.
   */
  readonly adopt?: AdoptSettings;
  /** Encrypts all payloads in this process, before they are sent. Default: nothing is encrypted. */
  readonly encryption?: EncryptionOptions;
}

/** Where threads are adopted from. */
export interface AdoptSettings {
  /** The schema of the official tables, which are only read. Default `"public"`, the official package's own. */
  readonly schema?: string;
}

/** Encryption at rest, with AES-256-GCM; see docs/encryption.md. */
export interface EncryptionOptions {
  /** The first key writes, every one reads: put a new key in front, and keep the old until all is rewritten. */
  readonly keys: readonly EncryptionKey[];
  /**
   * Whether rows that are not encrypted may be read, until `reencrypt` has met them. Default false:
   * such a row is refused with `PLAINTEXT_REFUSED`.
   */
  readonly allowPlaintext?: boolean;
  /**
   * Keys of the metadata that stay readable in the database, because lists filter by them. Default:
   * none. The metadata itself is encrypted in any case.
   */
  readonly plainMetadata?: readonly string[];
}

/** A key and its name. */
export interface EncryptionKey {
  /** Stands beside everything the key encrypts: 1 to 32 letters, digits, `.`, `_` or `-`. */
  readonly id: string;
  /** 32 bytes, or these as base64 or as 64 hex digits. */
  readonly key: Uint8Array | string;
}

/** Time to live, counted from the last write. Expired state is invisible at once and removed later. */
export interface TtlSettings {
  /** Whole threads, from their last write. */
  readonly threads?: Duration;
  /** Single checkpoints, from when they were written. */
  readonly checkpoints?: Duration;
  /**
   * What puts the end off: `"write"`, the default, or `"read"`, by which reading one checkpoint does
   * so too, to a tenth of the time; lists never do.
   */
  readonly refresh?: "write" | "read";
}

/** {@link StorageSettings} with every default filled in; durations in milliseconds. */
export interface ResolvedSettings {
  readonly schema: string;
  readonly tableName: string;
  readonly autoMigrate: boolean;
  readonly cacheBytes: number;
  readonly deadline: number;
  readonly namedStatements: boolean;
  readonly conflicts: "branch" | "detect";
  readonly metadataIndex: boolean;
  readonly ttl: {
    readonly threads: number | null;
    readonly checkpoints: number | null;
    readonly refresh: "write" | "read";
  };
  readonly adopt: { readonly schema: string } | null;
}

export const SETTINGS: readonly (keyof StorageSettings)[] = [
  "schema",
  "tableName",
  "autoMigrate",
  "cacheBytes",
  "deadline",
  "namedStatements",
  "metadataIndex",
  "conflicts",
  "ttl",
  "adopt",
  "encryption",
];

/** Checks and completes settings; unknown keys must have been refused by the caller, who knows more of them. */
export function resolveSettings(settings: StorageSettings): ResolvedSettings {
  const { ttl = {}, cacheBytes = 64 * 1024 * 1024 } = settings;
  if (typeof ttl !== "object" || ttl === null) {
    throw new InvalidOptionError(`ttl must be an object, got ${describe(ttl)}.`);
  }
  refuseUnknownKeys(ttl, ["threads", "checkpoints", "refresh"], "ttl");
  if (!Number.isInteger(cacheBytes) || cacheBytes < 0) {
    throw new InvalidOptionError(
      `cacheBytes must be a whole number of bytes, 0 to turn the cache off; got ${describe(cacheBytes)}.`,
    );
  }
  return {
    schema: textOption(settings.schema ?? "langgraph", "schema"),
    tableName: textOption(settings.tableName ?? "checkpoints", "tableName"),
    autoMigrate: flagOption(settings.autoMigrate ?? false, "autoMigrate"),
    cacheBytes,
    deadline: parseDuration(settings.deadline ?? 15_000, "deadline"),
    namedStatements: flagOption(settings.namedStatements ?? true, "namedStatements"),
    conflicts: oneOf(settings.conflicts ?? "branch", ["branch", "detect"], "conflicts"),
    metadataIndex: flagOption(settings.metadataIndex ?? false, "metadataIndex"),
    ttl: {
      threads: ttl.threads === undefined ? null : parseDuration(ttl.threads, "ttl.threads"),
      checkpoints:
        ttl.checkpoints === undefined ? null : parseDuration(ttl.checkpoints, "ttl.checkpoints"),
      refresh: oneOf(ttl.refresh ?? "write", ["write", "read"], "ttl.refresh"),
    },
    adopt: adoptOption(settings.adopt),
  };
}

function adoptOption(adopt: unknown): ResolvedSettings["adopt"] {
  if (adopt === undefined) return null;
  if (typeof adopt !== "object" || adopt === null) {
    throw new InvalidOptionError(
      `adopt must be an object such as { schema: "public" }, got ${describe(adopt)}.`,
    );
  }
  refuseUnknownKeys(adopt, ["schema"], "adopt");
  const { schema = "public" } = adopt as AdoptSettings;
  return { schema: textOption(schema, "adopt.schema") };
}

function textOption(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new InvalidOptionError(
    `${what} must be a string that is not empty, got ${describe(value)}.`,
  );
}

function flagOption(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new InvalidOptionError(`${what} must be true or false, got ${describe(value)}.`);
}

function oneOf<T extends string>(value: unknown, known: readonly T[], what: string): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw new InvalidOptionError(
    `${what} must be ${known.map((one) => JSON.stringify(one)).join(" or ")}, got ${describe(value)}.`,
  );
}
