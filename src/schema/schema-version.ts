/** Questions about a store's version. They change nothing. */
import type { Database, Executor } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { readState } from "./catalog.ts";
import { wantsConcurrently } from "./concurrent-index.ts";
import { loadMigrations } from "./migration-files.ts";
import { checkTarget, describeStep, nextStep, stepSql } from "./migration-steps.ts";
import type { MigrationStep } from "./migrator.ts";
import { refuseIncomplete, refuseNewer, tablesMissing } from "./refusals.ts";

/** The version that the tables are at; 0 where there are none. Throws `FOREIGN_TABLES`. */
export async function getSchemaVersion(db: Executor, names: TableNames): Promise<number> {
  return (await readState(db, names)).version;
}

/** The newest version that this package knows. */
export async function latestVersion(): Promise<number> {
  return (await loadMigrations()).length;
}

/** The migrations that {@link migrate} would carry out. */
export async function pendingMigrations(db: Database, names: TableNames): Promise<MigrationStep[]> {
  return [...(await planMigration(db, names)).steps];
}

/** What {@link migrate} would do. */
export interface MigrationPlan {
  readonly from: number;
  readonly to: number;
  readonly steps: readonly MigrationStep[];
  /**
   * The SQL, in order, one statement each, the keeping of the books included. Statements with
   * `CONCURRENTLY` cannot run in a transaction.
   */
  readonly statements: readonly string[];
}

/**
 * A dry run of {@link migrate}: the same refusals, but for that of data loss, and nothing changed.
 *
 * @example
 * const { statements } = await planMigration(db, names);
 * console.log(statements.join(";\n") + ";");
 */
export async function planMigration(
  db: Database,
  names: TableNames,
  options: { readonly to?: number } = {},
): Promise<MigrationPlan> {
  const migrations = await loadMigrations();
  const to = checkTarget(options.to, migrations.length);
  const state = await readState(db, names);
  refuseNewer(names, state, migrations.length);
  if (to >= state.version) refuseIncomplete(names, state);
  const steps: MigrationStep[] = [];
  const statements: string[] = [];
  if (to > 0 && !state.schemaExists) statements.push(`CREATE SCHEMA ${names.schema}`);
  for (let version = state.version; version !== to; version += to > version ? 1 : -1) {
    const step = nextStep(migrations, version, to);
    const table = step.migration.concurrent?.table;
    const concurrently =
      table !== undefined &&
      state.relations.has(table) &&
      (await wantsConcurrently(db, names, table));
    const { change, texts } = stepSql(names, step, concurrently);
    steps.push(describeStep(step));
    statements.push(...(change ? [change.text] : []), ...texts);
  }
  return { from: state.version, to, steps, statements };
}

/**
 * For a store that does not migrate by itself: throws {@link SchemaError} `TABLES_MISSING`,
 * `SCHEMA_TOO_NEW` or `FOREIGN_TABLES` unless the tables can be used. Older tables can: what a later
 * migration adds is looked for where it is needed.
 */
export async function requireSchema(db: Executor, names: TableNames): Promise<void> {
  const state = await readState(db, names);
  refuseNewer(names, state, await latestVersion());
  refuseIncomplete(names, state);
  if (state.version > 0) return;
  throw tablesMissing(names);
}
