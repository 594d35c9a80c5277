/** Puts names into the SQL of migrations. */
import { SchemaError } from "../errors.ts";
import { quoteIdentifier, TABLE_SUFFIXES, type TableNames } from "../postgres/identifiers.ts";
import type { TableKey } from "./catalog.ts";

const TOKEN = /:\{([a-z_]+)\}/g;

/**
 * The statement with its tokens replaced. In one pass, so that a schema whose name looks like a
 * token stays a name.
 *
 * | token | becomes |
 * |---|---|
 * | `:{schema}` | the quoted schema |
 * | `:{checkpoints}`, `:{threads}`, … | the qualified table |
 * | `:{name_x}` | the quoted bare name T_x, for a new index or constraint |
 * | `:{index_x}` | the qualified name T_x, for `DROP INDEX` |
 * | `:{concurrently}` | `CONCURRENTLY` or nothing |
 */
export function fillTokens(text: string, names: TableNames, concurrently = false): string {
  return text.replace(TOKEN, (_, token: string) => {
    if (token === "schema") return names.schema;
    if (token === "concurrently") return concurrently ? "CONCURRENTLY" : "";
    if (Object.hasOwn(TABLE_SUFFIXES, token)) return names[token as TableKey];
    const [kind, ...rest] = token.split("_");
    if (kind === "name") return quoteIdentifier(derivedName(names, rest.join("_")));
    if (kind === "index") return qualifiedIndex(names, rest.join("_"));
    throw new SchemaError("MIGRATION_FAILED", `A migration has the unknown token :{${token}}.`);
  });
}

/** The bare name of an index or constraint: table, `_`, suffix. */
export function derivedName(names: TableNames, suffix: string): string {
  return `${names.tableName}_${suffix}`;
}

export function qualifiedIndex(names: TableNames, suffix: string): string {
  return `${names.schema}.${quoteIdentifier(derivedName(names, suffix))}`;
}
