/** What is not as it should be in a database's tables, in words. */
import { SchemaError } from "../errors.ts";
import type { Executor } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { readState, type TableKey } from "./catalog.ts";
import { committedManifest, type Manifest, readManifest, type TableManifest } from "./manifest.ts";
import { METADATA_INDEX } from "./optional-index.ts";
import { latestVersion } from "./schema-version.ts";

/** One difference between the tables and what this package makes of them. */
export interface SchemaDifference {
  /** `error`: operations may fail, be slow or lose data. `notice`: somebody's own addition or tuning. */
  readonly severity: "error" | "notice";
  /** A sentence that says what is different and, where there is one, which call mends it. */
  readonly message: string;
}

/** A part of a table, and what it means when one is not what it was. */
const PARTS: readonly {
  readonly part: keyof TableManifest;
  readonly word: string;
  readonly severity: SchemaDifference["severity"];
}[] = [
  { part: "columns", word: "column", severity: "error" },
  { part: "constraints", word: "constraint", severity: "error" },
  { part: "indexes", word: "index", severity: "error" },
  { part: "options", word: "storage parameter", severity: "notice" },
];

/**
 * Compares the tables with the committed picture of them. Empty where all is as it should be. Where
 * migrations are pending, that is the only difference: the others would follow from it.
 *
 * @example
 * for (const { severity, message } of await compareManifest(db, names)) report(severity, message);
 */
export async function compareManifest(
  db: Executor,
  names: TableNames,
): Promise<SchemaDifference[]> {
  let version: number;
  try {
    ({ version } = await readState(db, names));
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return [{ severity: "error", message: error.message }];
  }
  const latest = await latestVersion();
  if (version !== latest)
    return [{ severity: "error", message: ofVersion(names, version, latest) }];
  return differences(names, await committedManifest(), await readManifest(db, names));
}

function ofVersion(names: TableNames, version: number, latest: number): string {
  if (version === 0) {
    return `The tables of ${names.checkpoints} do not exist. Call setup() once, or open with autoMigrate: true.`;
  }
  return version > latest
    ? `The tables of ${names.checkpoints} are at version ${version}, which is newer than this package (${latest}). Update the package.`
    : `The tables of ${names.checkpoints} are at version ${version} of ${latest}. Call migrateSchema().`;
}

/** The differences between two pictures. */
export function differences(
  names: TableNames,
  wanted: Manifest,
  found: Manifest,
): SchemaDifference[] {
  const list: SchemaDifference[] = [];
  for (const [key, table] of Object.entries(wanted) as [TableKey, TableManifest][]) {
    const actual = found[key];
    if (actual) list.push(...tableDifferences(names[key], table, actual));
    else list.push({ severity: "error", message: `Table ${names[key]} is missing.` });
  }
  return list;
}

function tableDifferences(
  table: string,
  wanted: TableManifest,
  found: TableManifest,
): SchemaDifference[] {
  const list: SchemaDifference[] = [];
  for (const { part, word, severity } of PARTS) {
    for (const [name, sql] of Object.entries(wanted[part])) {
      const actual = found[part][name];
      if (actual === sql) continue;
      list.push({ severity, message: `${table}: ${word} ${name} ${deviation(sql, actual)}` });
    }
    for (const [name, sql] of Object.entries(found[part])) {
      if (Object.hasOwn(wanted[part], name) || (name === METADATA_INDEX && !isInvalid(sql)))
        continue;
      list.push({
        severity: isHarmless(part, name, sql) ? "notice" : "error",
        message: `${table}: ${word} ${name} is not one of this package's: ${sql}.`,
      });
    }
  }
  return list;
}

function deviation(wanted: string, found: string | undefined): string {
  if (found === undefined) return `is missing; it should be ${wanted}.`;
  if (found === `${wanted} INVALID`) {
    return "is INVALID: its CREATE INDEX CONCURRENTLY did not end. Drop it and create it again.";
  }
  return `is ${found}; it should be ${wanted}.`;
}

function isInvalid(sql: string): boolean {
  return sql.endsWith(" INVALID");
}

/** Whether an addition lets this package's statements be: they name no such column. */
function isHarmless(part: keyof TableManifest, name: string, sql: string): boolean {
  if (part === "columns") return !sql.includes(" NOT NULL") || / DEFAULT | GENERATED /.test(sql);
  if (part === "indexes") return !isInvalid(sql) && !sql.startsWith("UNIQUE ");
  return part === "options" && name !== "unlogged";
}
