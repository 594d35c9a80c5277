/** Brings a store's tables to a version, one migration at a time; a first set-up is all of them at once. */
import type { Database, Transaction } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import { readState, type SchemaState } from "./catalog.ts";
import { changeConcurrently, changeInTransaction, wantsConcurrently } from "./concurrent-index.ts";
import { endangeredTables, lockTables, refuseDataLoss } from "./data-loss.ts";
import { loadMigrations, type Migration } from "./migration-files.ts";
import { DEFAULT_LOCK_TIMEOUT, letGoOfSnapshot, withMigrationLock } from "./migration-lock.ts";
import { checkTarget, describeStep, nextStep, type Step, stepSql } from "./migration-steps.ts";
import { refuseIncomplete, refuseNewer } from "./refusals.ts";

/** Where migrating ends, and what it may do. */
export interface MigrateOptions {
  /** The version to end at, up or down; 0 removes all tables. Default: the newest. */
  readonly to?: number;
  /** Whether a down step may destroy rows. Default false: it is refused with `DATA_LOSS_REFUSED`. */
  readonly allowDataLoss?: boolean;
  /**
   * Milliseconds that each transaction may wait for other migrators and for locks on tables. Default
   * 60,000. The time that a migration itself takes is not bounded.
   */
  readonly lockTimeout?: number;
}

/** One migration, in the direction it was taken. */
export interface MigrationStep {
  /** Its number, from 1. */
  readonly version: number;
  /** Its file's name, without the number. */
  readonly name: string;
  /** Whether it was applied or taken back. */
  readonly direction: "up" | "down";
}

/** What migrating did. */
export interface MigrateResult {
  /** The version that was found. */
  readonly from: number;
  /** The version that was reached. */
  readonly to: number;
  /** What this call did; empty where there was nothing to do or another process did it. */
  readonly applied: readonly MigrationStep[];
}

/**
 * Creates the tables, or brings them to the newest version (or to `to`). Each migration is one
 * transaction that also records its version, and where there are no tables yet, all of them together
 * are one; any number of processes may call it at once. Costs two reads and takes no lock where
 * nothing is to be done.
 *
 * Throws {@link SchemaError}: `FOREIGN_TABLES`, `SCHEMA_TOO_NEW`, `DATA_LOSS_REFUSED`,
 * `TABLES_MISSING` (some of the tables were dropped), `MIGRATION_FAILED` (its `cause` says why; what
 * was reached before the failing step stays).
 *
 * @example
 * const { to, applied } = await migrate(db, tableNames("langgraph", "checkpoints"));
 */
export async function migrate(
  db: Database,
  names: TableNames,
  options: MigrateOptions = {},
): Promise<MigrateResult> {
  const migrations = await loadMigrations();
  const target = checkTarget(options.to, migrations.length);
  const { allowDataLoss = false, lockTimeout = DEFAULT_LOCK_TIMEOUT } = options;
  let state = await readState(db, names);
  const from = state.version;
  refuseNewer(names, state, migrations.length);
  if (target >= from) refuseIncomplete(names, state);
  // Asked before the first step: a refusal halfway down would leave a version nobody wanted.
  if (!allowDataLoss) {
    await refuseDataLoss(db, names, endangeredTables(migrations.slice(target, from), state));
  }
  if (target > 0 && !state.schemaExists) await createSchema(db, names, lockTimeout);
  const applied: MigrationStep[] = [];
  while (state.version !== target) {
    const steps = nextSteps(migrations, state.version, target);
    const reached = await carryOut(db, names, steps, state, { allowDataLoss, lockTimeout });
    if (reached !== null) applied.push(...steps.map(describeStep));
    if (reached === target) break;
    state = await readState(db, names);
    refuseNewer(names, state, migrations.length);
  }
  return { from, to: target, applied };
}

/** Steps that are taken together. */
type Steps = readonly [Step, ...Step[]];

/**
 * What is one transaction: one step, or all of them where there are no tables, which nobody can be
 * using. Every unit test begins with that, and takes a third of the statements then.
 */
function nextSteps(migrations: readonly Migration[], version: number, target: number): Steps {
  const first = nextStep(migrations, version, target);
  if (version > 0) return [first];
  const more = migrations.slice(1, target);
  return [first, ...more.map((migration) => ({ migration, direction: "up" as const }))];
}

/** The same as {@link migrate} with `to`: up or down to `version`, which 0 to the newest can be. */
export function migrateTo(
  db: Database,
  names: TableNames,
  version: number,
  options: Omit<MigrateOptions, "to"> = {},
): Promise<MigrateResult> {
  return migrate(db, names, { ...options, to: version });
}

/** Takes the steps; the version that was reached, or null where another process has taken one meanwhile. */
async function carryOut(
  db: Database,
  names: TableNames,
  steps: Steps,
  found: SchemaState,
  bounds: { readonly allowDataLoss: boolean; readonly lockTimeout: number },
): Promise<number | null> {
  const [{ migration, direction }] = steps;
  // Not asked inside the transaction: that would lock the table, and the dropping of an index waits
  // for all who have the table locked.
  const concurrently =
    migration.concurrent !== null &&
    found.relations.has(migration.concurrent.table) &&
    (await wantsConcurrently(db, names, migration.concurrent.table));
  const what =
    steps.length > 1
      ? `Creating the tables of ${names.checkpoints}`
      : `Migration ${migration.version} (${migration.name}, ${direction})`;
  const lock = { names, of: "tables", what, lockTimeout: bounds.lockTimeout } as const;
  return withMigrationLock(db, lock, async (tx) => {
    const state = await readState(tx, names);
    if (state.version !== (direction === "up" ? migration.version - 1 : migration.version)) {
      return null;
    }
    if (direction === "down" && !bounds.allowDataLoss) {
      const tables = endangeredTables([migration], state);
      await lockTables(tx, names, tables);
      await refuseDataLoss(tx, names, tables);
    }
    const how = { lockTimeout: concurrently ? bounds.lockTimeout : null, fresh: steps.length > 1 };
    for (const step of steps) await run(db, tx, names, step, how);
    return direction === "up" ? state.version + steps.length : state.version - 1;
  });
}

/**
 * Runs the step's statements and keeps the books. `lockTimeout` is given for a concurrent build; `fresh`
 * says that the transaction makes all tables.
 */
async function run(
  db: Database,
  tx: Transaction,
  names: TableNames,
  step: Step,
  { lockTimeout, fresh }: { readonly lockTimeout: number | null; readonly fresh: boolean },
): Promise<void> {
  const { change, texts } = stepSql(names, step, lockTimeout !== null);
  if (change && lockTimeout !== null) {
    await letGoOfSnapshot(tx);
    await changeConcurrently(db, change, lockTimeout);
  } else if (change) {
    await changeInTransaction(tx, change, fresh);
  }
  for (const text of texts) await tx.execute(statement("migration", text), []);
}

/** Asks for no right to create schemas where the schema is there. */
function createSchema(db: Database, names: TableNames, lockTimeout: number): Promise<void> {
  const what = `Creating the schema ${names.schema}`;
  return withMigrationLock(db, { names, of: "schema", what, lockTimeout }, async (tx) => {
    // IF NOT EXISTS would ask for the right all the same, and fail in a race.
    if ((await readState(tx, names)).schemaExists) return;
    await tx.execute(statement("migration", `CREATE SCHEMA ${names.schema}`), []);
  });
}
