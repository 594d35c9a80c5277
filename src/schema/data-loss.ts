/** The guard before down steps that destroy rows. */
import { SchemaError } from "../errors.ts";
import type { Executor } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import type { SchemaState, TableKey } from "./catalog.ts";
import type { Migration } from "./migration-files.ts";

/** The tables whose rows the down steps of `migrations` would destroy and that exist. */
export function endangeredTables(
  migrations: readonly Migration[],
  state: SchemaState,
): readonly TableKey[] {
  const keys = new Set(migrations.flatMap((migration) => migration.lossyDown));
  return [...keys].filter((key) => state.relations.has(key));
}

/** Throws `DATA_LOSS_REFUSED` where one of the tables holds a row. */
export async function refuseDataLoss(
  db: Executor,
  names: TableNames,
  tables: readonly TableKey[],
): Promise<void> {
  for (const key of tables) {
    const [row] = await db.execute(
      statement("migration_rows", `SELECT EXISTS (SELECT 1 FROM ${names[key]})::text`),
      [],
    );
    if (row?.[0] !== "true") continue;
    throw new SchemaError(
      "DATA_LOSS_REFUSED",
      `Migrating down would drop ${names[key]}, which holds rows. Nothing was changed. ` +
        "Pass { allowDataLoss: true } if they may go.",
    );
  }
}

/** Shuts writers out until the transaction ends, so that no row slips in between check and drop. */
export async function lockTables(
  tx: Executor,
  names: TableNames,
  tables: readonly TableKey[],
): Promise<void> {
  if (tables.length === 0) return;
  const list = tables.map((key) => names[key]).join(", ");
  await tx.execute(statement("migration_lock", `LOCK TABLE ${list} IN ACCESS EXCLUSIVE MODE`), []);
}
