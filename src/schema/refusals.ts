/** Errors that say what is wrong with the state of the schema and which call mends it. */
import { DatabaseError, SchemaError } from "../errors.ts";
import { TABLE_SUFFIXES, type TableNames } from "../postgres/identifiers.ts";
import type { SchemaState, TableKey } from "./catalog.ts";

/** A migration that could not be carried out; the cause says why. */
export function migrationFailed(message: string, cause: unknown): SchemaError {
  return new SchemaError("MIGRATION_FAILED", message, { cause });
}

/** Throws `SCHEMA_TOO_NEW` where the database knows migrations that this package does not. */
export function refuseNewer(names: TableNames, state: SchemaState, latest: number): void {
  if (state.version <= latest) return;
  throw new SchemaError(
    "SCHEMA_TOO_NEW",
    `The tables of ${names.checkpoints} are at version ${state.version}; this langgraph-postgres knows versions up to ${latest}. ` +
      "Nothing was changed. Update the package, or migrate down with the newer one.",
  );
}

/** Tables that the first migration does not make, and the version that does. */
const SINCE: Readonly<Partial<Record<TableKey, number>>> = { adoptions: 7 };

/** Throws `TABLES_MISSING` where tables are gone although `T_migrations` says that they were created. */
export function refuseIncomplete(names: TableNames, state: SchemaState): void {
  if (state.version === 0) return;
  const gone = (Object.keys(TABLE_SUFFIXES) as TableKey[]).find(
    (key) => state.version >= (SINCE[key] ?? 1) && !state.relations.has(key),
  );
  if (gone === undefined) return;
  throw new SchemaError(
    "TABLES_MISSING",
    `${names[gone]} is gone, although ${names.migrations} says that it was created. Restore it from a backup, ` +
      "or begin anew with migrateTo(0, { allowDataLoss: true }).",
  );
}

/** SQLSTATEs of a statement that found no table, no schema, or a table without one of its columns. */
const MISSING: ReadonlySet<string> = new Set(["42P01", "3F000", "42703"]);

/**
 * Makes an error that says which call creates the tables out of the server's "relation does not
 * exist"; every other error comes back as it is. For errors of this package's own statements: a
 * user's statement may miss a table of the user's.
 *
 * @example
 * try {
 *   await db.execute(…);
 * } catch (error) {
 *   throw explainMissingTables(error, names);
 * }
 */
export function explainMissingTables(error: unknown, names: TableNames): unknown {
  if (!(error instanceof DatabaseError) || !MISSING.has(error.sqlState ?? "")) return error;
  const what = error.sqlState === "42703" ? "are of another version" : undefined;
  return tablesMissing(names, what, { cause: error });
}

/** Says which call creates the tables. */
export function tablesMissing(
  names: TableNames,
  what = "do not exist",
  options: { readonly cause?: unknown } = {},
): SchemaError {
  return new SchemaError(
    "TABLES_MISSING",
    `The tables of ${names.checkpoints} ${what}. Call setup() (initSchema() on the store) once, or open with autoMigrate: true.`,
    options,
  );
}
