/** Two records under one id, or with one version: the server's refusal, said in the caller's words. */
import { DatabaseError, DuplicateCheckpointError } from "../errors.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import type { PutRecord } from "../storage/record-writer.ts";

const UNIQUE_VIOLATION = "23505";

/** The error, or what it means where an index of ours refused a second one. */
export function asDuplicate(
  error: unknown,
  { tableName, schemaName }: TableNames,
  rows: readonly PutRecord[],
): unknown {
  if (sqlStateOf(error) !== UNIQUE_VIOLATION) return error;
  const cause = error instanceof DatabaseError ? error.cause : error;
  const { constraint, table, schema } = cause as Partial<Record<string, unknown>>;
  if (table !== tableName || schema !== schemaName) return error;
  const names = rows.map(({ checkpointId }) => JSON.stringify(checkpointId)).slice(0, 3);
  const which = `${rows.length === 1 ? "Record" : "One of the records"} ${names.join(", ")}${rows.length > 3 ? ", …" : ""}`;
  const what =
    constraint === `${tableName}_version_key`
      ? "has a version that another record of its thread, namespace and execution has already. Leave version out for the next one, or read the latest again"
      : 'has an id that exists already. Save with { ifExists: "replace" } to replace it';
  return new DuplicateCheckpointError(`${which} ${what}. Nothing was saved.`, {
    cause,
    sqlState: UNIQUE_VIOLATION,
  });
}

/** Inside a transaction the driver's error comes as it is. */
function sqlStateOf(error: unknown): unknown {
  if (error instanceof DatabaseError) return error.sqlState;
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
