/** Reads `migrations/NNNN_name.sql` and takes each file apart. Knows the format, not the database. */
import { readdir, readFile } from "node:fs/promises";
import { SchemaError } from "../errors.ts";
import { TABLE_SUFFIXES } from "../postgres/identifiers.ts";
import type { TableKey } from "./catalog.ts";
import { migrationFailed } from "./refusals.ts";

/** One numbered migration. Its statements still hold tokens; see `migration-sql.ts`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** Tables whose rows the down step destroys; it is refused while one of them holds a row. */
  readonly lossyDown: readonly TableKey[];
  /** The index that is built or dropped `CONCURRENTLY`, outside a transaction, or null. */
  readonly concurrent: ConcurrentIndex | null;
}

/** An index that is built without blocking writers. `suffix` follows the table's name and `_`. */
export interface ConcurrentIndex {
  readonly table: TableKey;
  readonly suffix: string;
}

/** Beside `src/` in the repository and beside `dist/` in the package: the same way from either. */
export const MIGRATIONS_FOLDER: URL = new URL("../../migrations/", import.meta.url);

const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const DIRECTIVE = /^-- migrate:([a-z-]+)(.*)$/;

let loaded: Promise<readonly Migration[]> | undefined;

/** All migrations in order, read once per process. */
export function loadMigrations(): Promise<readonly Migration[]> {
  loaded ??= readMigrations(MIGRATIONS_FOLDER).catch((error: unknown) => {
    // A failed read is not remembered: the next call may find the files.
    loaded = undefined;
    throw error;
  });
  return loaded;
}

/** Reads a folder of migrations; throws unless they are numbered 1, 2, 3 … without a gap. */
export async function readMigrations(folder: URL): Promise<readonly Migration[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  } catch (cause) {
    throw migrationFailed(
      "The migration files of langgraph-postgres could not be read. They lie in the package's folder `migrations`; a bundler must leave the package external.",
      cause,
    );
  }
  const migrations = await Promise.all(
    names.map(async (name) => parseMigration(name, await readFile(new URL(name, folder), "utf8"))),
  );
  migrations.forEach((migration, i) => {
    if (migration.version !== i + 1) {
      throw malformed(names[i] ?? "", `it should have number ${i + 1}`);
    }
  });
  return migrations;
}

/** Takes one file apart. Throws where the format is not kept: a typo must not become a no-op. */
export function parseMigration(fileName: string, text: string): Migration {
  const match = FILE_NAME.exec(fileName);
  if (!match) throw malformed(fileName, "its name is not like 0001_words_in_lower_case.sql");
  const sections: Record<"head" | "up" | "down", string[]> = { head: [], up: [], down: [] };
  let section: keyof typeof sections = "head";
  let lossyDown: readonly TableKey[] = [];
  let concurrent: ConcurrentIndex | null = null;
  for (const line of text.split(/\r?\n/)) {
    const directive = DIRECTIVE.exec(line);
    if (!directive) {
      sections[section].push(line);
      continue;
    }
    const words = (directive[2] ?? "").split(/\s+/).filter(Boolean);
    switch (directive[1]) {
      case "up":
      case "down":
        section = directive[1];
        break;
      case "lossy-down":
        lossyDown = words.map((word) => tableKey(fileName, word));
        break;
      case "no-transaction":
        if (words.length !== 2) throw malformed(fileName, "no-transaction wants table and index");
        concurrent = { table: tableKey(fileName, words[0] ?? ""), suffix: words[1] ?? "" };
        break;
      default:
        throw malformed(fileName, `it has an unknown directive ${directive[1]}`);
    }
  }
  if (splitStatements(fileName, sections.head).length > 0) {
    throw malformed(fileName, "it has SQL before `-- migrate:up`");
  }
  const up = splitStatements(fileName, sections.up);
  const down = splitStatements(fileName, sections.down);
  if (up.length === 0 || down.length === 0) {
    throw malformed(fileName, "it needs an up and a down section");
  }
  if (concurrent && (up.length > 1 || down.length > 1)) {
    throw malformed(fileName, "a no-transaction migration is one statement each way");
  }
  return { version: Number(match[1]), name: match[2] ?? "", up, down, lossyDown, concurrent };
}

/**
 * A statement ends at a `;` that ends its line, so a `;` inside one has to stand elsewhere. Lines
 * that are comments are left out: they are for the reader of the file.
 */
function splitStatements(fileName: string, lines: readonly string[]): string[] {
  const statements: string[] = [];
  let current: string[] = [];
  for (const line of lines) {
    if (line.trim() === "" || line.trimStart().startsWith("--")) continue;
    current.push(line.trimEnd());
    if (!line.trimEnd().endsWith(";")) continue;
    statements.push(current.join("\n").slice(0, -1));
    current = [];
  }
  if (current.length > 0) throw malformed(fileName, "its last statement lacks its `;`");
  return statements;
}

function tableKey(fileName: string, word: string): TableKey {
  if (Object.hasOwn(TABLE_SUFFIXES, word)) return word as TableKey;
  throw malformed(fileName, `it names an unknown table ${word}`);
}

function malformed(fileName: string, what: string): SchemaError {
  return new SchemaError("MIGRATION_FAILED", `Migration file ${fileName} is malformed: ${what}.`);
}
