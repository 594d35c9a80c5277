import { InvalidOptionError } from "../errors.ts";

/** PostgreSQL cuts longer identifiers off silently; two tables would become one. */
export const MAX_IDENTIFIER_BYTES = 63;

/** The quoted, schema-qualified names of one store's tables, and the bare names they are made of. */
export interface TableNames {
  /** The schema as the user wrote it, unquoted. */
  readonly schemaName: string;
  /** The table as the user wrote it, unquoted. */
  readonly tableName: string;
  /** The quoted schema: `"langgraph"`. */
  readonly schema: string;
  /** `"langgraph"."checkpoints"` and so on. */
  readonly checkpoints: string;
  readonly threads: string;
  readonly values: string;
  readonly chunks: string;
  readonly writes: string;
  readonly adoptions: string;
  readonly migrations: string;
}

/** What is put behind the table's name to name the other tables. */
export const TABLE_SUFFIXES = {
  checkpoints: "",
  threads: "_threads",
  values: "_values",
  chunks: "_chunks",
  writes: "_writes",
  adoptions: "_adoptions",
  migrations: "_migrations",
} as const;

/**
 * Longest suffix that anything derived from the table's name may carry, indexes and constraints
 * included. Names are checked against it at the door; a migration that derives a longer one fails
 * in the tests of `schema/`.
 */
export const MAX_SUFFIX_BYTES = 24;

/** The identifier in double quotes, its own quotes doubled. Refuses NUL, which no identifier can hold. */
export function quoteIdentifier(name: string): string {
  if (name.includes("\0")) throw new InvalidOptionError("An identifier must not contain NUL.");
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The names of a store's tables. Throws {@link InvalidOptionError} where the schema's name is longer
 * than 63 bytes, or the table's is too long for the suffixes of its companions and indexes.
 */
export function tableNames(schema: string, table: string): TableNames {
  checkName(schema, "schema", MAX_IDENTIFIER_BYTES);
  checkName(table, "tableName", MAX_IDENTIFIER_BYTES - MAX_SUFFIX_BYTES);
  const quotedSchema = quoteIdentifier(schema);
  const qualified = (suffix: string): string =>
    `${quotedSchema}.${quoteIdentifier(table + suffix)}`;
  return {
    schemaName: schema,
    tableName: table,
    schema: quotedSchema,
    checkpoints: qualified(TABLE_SUFFIXES.checkpoints),
    threads: qualified(TABLE_SUFFIXES.threads),
    values: qualified(TABLE_SUFFIXES.values),
    chunks: qualified(TABLE_SUFFIXES.chunks),
    writes: qualified(TABLE_SUFFIXES.writes),
    adoptions: qualified(TABLE_SUFFIXES.adoptions),
    migrations: qualified(TABLE_SUFFIXES.migrations),
  };
}

function checkName(name: string, option: string, limit: number): void {
  if (typeof name !== "string" || name === "") {
    throw new InvalidOptionError(`${option} must be a non-empty string.`);
  }
  if (name.includes("\0")) throw new InvalidOptionError(`${option} must not contain NUL.`);
  if (/\p{Surrogate}/u.test(name)) {
    throw new InvalidOptionError(`${option} must be well-formed Unicode.`);
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > limit) {
    throw new InvalidOptionError(
      `${option} is ${bytes} bytes long; it must fit ${limit} bytes${
        limit < MAX_IDENTIFIER_BYTES
          ? `, because PostgreSQL allows ${MAX_IDENTIFIER_BYTES} and the names of the other tables and indexes add up to ${MAX_SUFFIX_BYTES}`
          : ""
      }.`,
    );
  }
}
