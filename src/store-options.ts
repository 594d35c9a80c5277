/** How a checkpoint store is opened. */
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { resolveEncryption } from "./encryption/keys.ts";
import { InvalidOptionError } from "./errors.ts";
import type { OnOperation } from "./metrics/operations.ts";
import {
  type Duration,
  describe,
  parseDuration,
  refuseUnknownKeys,
  resolveSettings,
  SETTINGS,
  type StorageSettings,
} from "./options.ts";
import type { PoolOptions } from "./postgres/pool.ts";
import { countOption } from "./retention/prune-options.ts";
import type { SweeperOptions } from "./retention/sweeper.ts";

/** What every store can be told; everything is optional. */
export interface StoreOptions extends StorageSettings {
  /** Replaces the serializer; its output is stored whole, in one piece. Default: JsonPlusSerializer's format. */
  readonly serde?: SerializerProtocol;
  /** Called after each operation, with its name, thread, duration and error code. */
  readonly onOperation?: OnOperation;
  /** Whether to tell OpenTelemetry, where `@opentelemetry/api` is installed. Default true. */
  readonly telemetry?: boolean;
  /**
   * Whether this process removes what has expired, in the background. Processes take turns. Default:
   * where `ttl` is given.
   */
  readonly sweeper?: boolean | SweeperOptions;
  /** How many checkpoints of each namespace of a thread are kept as it grows. Default: all. */
  readonly maxCheckpoints?: number;
}

/** How a store reaches its database. Give `connString` or `embedded`; without both, `PG*` variables say. */
export interface ConnectOptions extends StoreOptions {
  /** `postgres://user:password@host:5432/database?sslmode=require`; see `createPool`. */
  readonly connString?: string | undefined;
  /** PostgreSQL in this process: a directory, or `"memory"`. Needs `@electric-sql/pglite`. */
  readonly embedded?: string;
  /** The pool that the store opens and owns; see `createPool`. */
  readonly pool?: Omit<PoolOptions, "connString">;
}

/** How a checkpointer of a store differs from the store's own. */
export interface CheckpointerOptions {
  /** The least time between two times that a running thread is stored: `"5s"`, or milliseconds. */
  readonly checkpointInterval: Duration;
}

const STORE: readonly (keyof StoreOptions)[] = [
  ...SETTINGS,
  "serde",
  "onOperation",
  "telemetry",
  "sweeper",
  "maxCheckpoints",
];
const CONNECT: readonly (keyof ConnectOptions)[] = [...STORE, "connString", "embedded", "pool"];

/** Throws for what is unknown or impossible, before anything is opened. */
export function checkStoreOptions(options: StoreOptions): void {
  refuseUnknownKeys(options, STORE, "PostgresCheckpointStore.fromPool");
  checkValues(options);
}

export function checkConnectOptions(options: ConnectOptions): void {
  refuseUnknownKeys(options, CONNECT, "PostgresCheckpointStore.connect");
  const { connString, embedded, pool } = options;
  if (embedded !== undefined && (connString !== undefined || pool !== undefined)) {
    throw new InvalidOptionError(
      "embedded is PostgreSQL in this process: it goes with neither connString nor pool.",
    );
  }
  for (const [name, value] of Object.entries({ connString, embedded })) {
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      throw new InvalidOptionError(`${name} must be a string that is not empty.`);
    }
  }
  checkValues(options);
}

function checkValues(options: StoreOptions): void {
  resolveSettings(options);
  if (options.encryption !== undefined) resolveEncryption(options.encryption);
  const { onOperation, telemetry = true, sweeper = true, maxCheckpoints } = options;
  if (maxCheckpoints !== undefined) countOption(maxCheckpoints, "maxCheckpoints");
  if (onOperation !== undefined && typeof onOperation !== "function") {
    throw new InvalidOptionError(`onOperation must be a function, got ${describe(onOperation)}.`);
  }
  if (typeof telemetry !== "boolean") {
    throw new InvalidOptionError(`telemetry must be true or false, got ${describe(telemetry)}.`);
  }
  if (typeof sweeper !== "boolean" && (typeof sweeper !== "object" || sweeper === null)) {
    throw new InvalidOptionError(
      `sweeper must be true, false or its options, got ${describe(sweeper)}.`,
    );
  }
}

/** The interval in milliseconds. */
export function intervalOf(options: CheckpointerOptions): number {
  refuseUnknownKeys(options, ["checkpointInterval"], "checkpointerWith");
  return parseDuration(options.checkpointInterval, "checkpointInterval");
}

/** Only what a storage takes. */
export function settingsOf(options: StoreOptions): StorageSettings {
  return Object.fromEntries(
    SETTINGS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
  );
}
