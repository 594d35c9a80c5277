/** The index on metadata that a user may ask for. Not a numbered migration: most do not need it. */
import type { Database } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import {
  changeConcurrently,
  changeInTransaction,
  type IndexChange,
  indexState,
  wantsConcurrently,
} from "./concurrent-index.ts";
import { DEFAULT_LOCK_TIMEOUT, letGoOfSnapshot, withMigrationLock } from "./migration-lock.ts";
import { fillTokens } from "./migration-sql.ts";
import { requireSchema } from "./schema-version.ts";

/** What follows the table's name and `_` in the index's name. */
export const METADATA_INDEX = "metadata_idx";

// jsonb_path_ops knows `@>` alone, which is how metadata is filtered, and is half the size.
const CREATE =
  "CREATE INDEX :{concurrently} IF NOT EXISTS :{name_metadata_idx} ON :{checkpoints} USING gin (metadata jsonb_path_ops)";
const DROP = "DROP INDEX :{concurrently} IF EXISTS :{index_metadata_idx}";

/**
 * Creates the GIN index that filters on metadata use, without blocking writers where there are rows
 * already. Does nothing where it exists. Throws `TABLES_MISSING` before the tables exist.
 *
 * @example
 * await ensureMetadataIndex(db, names);
 */
export function ensureMetadataIndex(
  db: Database,
  names: TableNames,
  options: { readonly lockTimeout?: number } = {},
): Promise<void> {
  return changeMetadataIndex(db, names, CREATE, "valid", options.lockTimeout);
}

/** Drops the index that {@link ensureMetadataIndex} makes, if it is there. */
export function dropMetadataIndex(
  db: Database,
  names: TableNames,
  options: { readonly lockTimeout?: number } = {},
): Promise<void> {
  return changeMetadataIndex(db, names, DROP, "missing", options.lockTimeout);
}

async function changeMetadataIndex(
  db: Database,
  names: TableNames,
  sql: string,
  wanted: "valid" | "missing",
  lockTimeout = DEFAULT_LOCK_TIMEOUT,
): Promise<void> {
  const change = (concurrently: boolean): IndexChange => ({
    names,
    suffix: METADATA_INDEX,
    text: fillTokens(sql, names, concurrently),
    wanted,
  });
  if ((await indexState(db, change(false))) === wanted) return;
  await requireSchema(db, names);
  const concurrently = await wantsConcurrently(db, names, "checkpoints");
  const lock = {
    names,
    of: "tables",
    what: "Changing the index on metadata",
    lockTimeout,
  } as const;
  await withMigrationLock(db, lock, async (tx) => {
    if (!concurrently) return changeInTransaction(tx, change(false));
    await letGoOfSnapshot(tx);
    return changeConcurrently(db, change(true), lockTimeout);
  });
}
