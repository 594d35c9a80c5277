/** Which migration comes next, and the SQL that carries it out and records it. Pure. */
import { InvalidOptionError } from "../errors.ts";
import { describe } from "../options.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import type { IndexChange } from "./concurrent-index.ts";
import type { Migration } from "./migration-files.ts";
import { fillTokens } from "./migration-sql.ts";
import type { MigrationStep } from "./migrator.ts";

export interface Step {
  readonly migration: Migration;
  readonly direction: "up" | "down";
}

/** The step that follows at `version` on the way to `target`. */
export function nextStep(migrations: readonly Migration[], version: number, target: number): Step {
  const direction = target > version ? "up" : "down";
  const migration = migrations[direction === "up" ? version : version - 1];
  if (!migration) throw new RangeError(`There is no migration from version ${version}.`);
  return { migration, direction };
}

export function describeStep({ migration, direction }: Step): MigrationStep {
  return { version: migration.version, name: migration.name, direction };
}

/** The version to migrate to; throws {@link InvalidOptionError} unless that is 0 to `latest`. */
export function checkTarget(target: unknown, latest: number): number {
  if (target === undefined) return latest;
  if (Number.isInteger(target) && (target as number) >= 0 && (target as number) <= latest) {
    return target as number;
  }
  throw new InvalidOptionError(
    `The version to migrate to must be an integer from 0 to ${latest}; got ${describe(target)}.`,
  );
}

/** What a step consists of: perhaps the change of one index, then statements, the last of which keep the books. */
export interface StepSql {
  readonly change: IndexChange | null;
  readonly texts: readonly string[];
}

export function stepSql(
  names: TableNames,
  { migration, direction }: Step,
  concurrently: boolean,
): StepSql {
  const { version, name, concurrent } = migration;
  const own = migration[direction].map((text) => fillTokens(text, names, concurrently));
  const books =
    direction === "up"
      ? [`INSERT INTO ${names.migrations} (version, name) VALUES (${version}, '${name}')`]
      : // The first migration's down step takes the books away with the rest.
        version === 1
        ? []
        : [`DELETE FROM ${names.migrations} WHERE version = ${version}`];
  if (!concurrent) return { change: null, texts: [...own, ...books] };
  const wanted = direction === "up" ? "valid" : "missing";
  return { change: { names, ...concurrent, text: own[0] ?? "", wanted }, texts: books };
}
