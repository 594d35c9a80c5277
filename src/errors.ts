/**
 * Every error this package raises on purpose. Match on `code` (or the class): both are stable, the
 * messages are not. No message, and no property but `cause`, ever holds a payload, a password or a
 * connection string.
 */

/**
 * Every `code`, with what it means in a few words. `docs/errors.md` says the cure for each.
 *
 * @enum
 */
export const ERROR_CODES = {
  INVALID_OPTION: "an option is unknown, impossible or out of range",
  INVALID_CONFIG: "a LangGraph config or an argument lacks or mangles something that is needed",
  SERIALIZATION_FAILED: "a value cannot be serialised",
  CHECKPOINT_NOT_FOUND: "no checkpoint with that id",
  DUPLICATE_CHECKPOINT: "a checkpoint with that id exists already",
  THREAD_CONFLICT: "the thread was deleted, taken over or pruned meanwhile",
  THREAD_DIVERGED: "a thread that was adopted from other tables was changed there afterwards",
  THREAD_EXISTS: "a thread with that id exists already",
  INVALID_SOURCE: "what is to be imported is not what the official package keeps",
  INVALID_EXPORT: "a file is not an export of this package, or is damaged",
  EXPORT_TOO_NEW: "an export was written by a newer version of this package",
  VERIFICATION_FAILED: "what was copied does not read back as what it was copied from",
  CORRUPT_CHECKPOINT: "stored bytes are missing or are not what their id says",
  DECRYPTION_FAILED: "a row is encrypted, and none of the keys is the one that it needs",
  PLAINTEXT_REFUSED: "a row is not encrypted where all have to be",
  TABLES_MISSING: "the tables have not been created yet",
  SCHEMA_TOO_NEW: "the database was migrated by a newer version of this package",
  FOREIGN_TABLES: "tables of another package stand in the way",
  MIGRATION_FAILED: "a migration failed and was rolled back",
  DATA_LOSS_REFUSED: "a down migration would lose data",
  CONNECTION_FAILED: "the server could not be reached or refused the login",
  POOL_TIMEOUT: "no connection became free before the deadline",
  DEADLINE_EXCEEDED: "the server did not answer before the deadline",
  DATABASE_ERROR: "the server refused a statement; see `sqlState`",
  DIRECTORY_IN_USE: "another process has the directory of the embedded database open",
  DEPENDENCY_MISSING: "an optional dependency is not installed",
  CLOSED: "the store was closed",
} as const;

/** One of the stable codes in {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Base class of every error that this package raises on purpose. The driver's own error, where there is
 * one, is the `cause`.
 *
 * @example
 * ```ts
 * try {
 *   await store.load("1");
 * } catch (error) {
 *   if (!(error instanceof LangGraphPostgresError)) throw error;
 *   console.log(error.code); // "CHECKPOINT_NOT_FOUND"
 * }
 * ```
 */
export class LangGraphPostgresError extends Error {
  /** Stable, unlike the message. */
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** An option is unknown, impossible or out of range. Raised before anything is opened. */
export class InvalidOptionError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("INVALID_OPTION", message, options);
  }
}

/** A config or argument lacks or mangles something (`thread_id`, `limit`, …). Raised before the database is asked. */
export class InvalidConfigError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("INVALID_CONFIG", message, options);
  }
}

/** A value cannot be serialised; the message names the place and the path. Nothing was written. */
export class SerializationError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("SERIALIZATION_FAILED", message, options);
  }
}

/** No checkpoint with that id. */
export class CheckpointNotFoundError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("CHECKPOINT_NOT_FOUND", message, options);
  }
}

/** The thread was deleted, recreated, taken over by another writer, or pruned too often to be read; nothing was written. */
export class ThreadConflictError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("THREAD_CONFLICT", message, options);
  }
}

/**
 * The thread was changed in the tables that it was, or would be, adopted from, and is something else
 * here; nothing was read or written.
 */
export class ThreadDivergedError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("THREAD_DIVERGED", message, options);
  }
}

/** A thread with that id exists already; nothing was written. */
export class ThreadExistsError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("THREAD_EXISTS", message, options);
  }
}

/** Stored bytes are missing or are not what their id says; the message names thread, checkpoint, channel and chunk. */
export class CorruptCheckpointError extends LangGraphPostgresError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("CORRUPT_CHECKPOINT", message, options);
  }
}

/** A row cannot be read with the keys that were configured, or is not encrypted where it has to be. */
export class DecryptionError extends LangGraphPostgresError {}

/** What is to be imported cannot be, or did not arrive as it was; the message names thread or line. */
export class TransferError extends LangGraphPostgresError {}

/** The tables are missing, too new, or another package's; or a migration could not run. */
export class SchemaError extends LangGraphPostgresError {}

/** The server or the connection refused. `sqlState` is PostgreSQL's code where there is one; `cause` is the driver's error. */
export class DatabaseError extends LangGraphPostgresError {
  /** PostgreSQL's five characters, such as `"23505"`; undefined where it was not the server that refused. */
  readonly sqlState: string | undefined;
  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; sqlState?: string | undefined },
  ) {
    super(code, message, options);
    this.sqlState = options?.sqlState;
  }
}

/** A checkpoint with that id exists already (SQLSTATE 23505). */
export class DuplicateCheckpointError extends DatabaseError {
  constructor(message: string, options?: { cause?: unknown; sqlState?: string }) {
    super("DUPLICATE_CHECKPOINT", message, options);
  }
}
