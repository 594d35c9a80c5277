/** The databases that every test of storage runs on. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { inject } from "vitest";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";
import { quoteIdentifier } from "../../src/postgres/identifiers.ts";
import { createPool, type DbPool, embedded } from "../../src/postgres/index.ts";

/** A pool and a schema that no other test uses. */
export interface OpenBackend {
  readonly pool: DbPool;
  /** The schema's name, unquoted. It does not exist yet. */
  readonly schema: string;
  /** For a server: its connection string. */
  readonly connString: string | undefined;
  /** Drops the schema and ends the pool. */
  close(): Promise<void>;
}

export interface Backend {
  readonly name: "postgres-18" | "postgres-14" | "embedded";
  /** Whether more than one connection can be open at once. */
  readonly connections: "many" | "one";
  open(options?: { readonly maxConns?: number }): Promise<OpenBackend>;
}

function server(version: "18" | "14"): Backend {
  return {
    name: `postgres-${version}`,
    connections: "many",
    async open({ maxConns = 10 } = {}) {
      const connString = inject("postgres")[version];
      const pool = createPool({ connString, maxConns });
      const schema = freshSchema();
      return {
        pool,
        schema,
        connString,
        async close() {
          await pool.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`);
          await pool.end();
        },
      };
    },
  };
}

export const embeddedBackend: Backend = {
  name: "embedded",
  connections: "one",
  async open() {
    useTemplate(() => readFile(inject("embeddedTemplate")));
    const pool = await embedded("memory");
    return { pool, schema: freshSchema(), connString: undefined, close: () => pool.end() };
  },
};

/** PostgreSQL 18 and 14 as servers, and the embedded one. */
export const backends: readonly Backend[] = [server("18"), server("14"), embeddedBackend];

/** The two servers, for what needs several connections. */
export const servers: readonly Backend[] = backends.filter((one) => one.connections === "many");

function freshSchema(): string {
  return `test_${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** One statement of SQL on the tables of `schema`; `T` stands for the checkpoint table's full name, `T_values` for another's. */
export async function sqlOn(
  { pool, schema }: Pick<OpenBackend, "pool" | "schema">,
  text: string,
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const named = text.replaceAll(
    /\bT(_[a-z]+)?\b/g,
    (_, suffix = "") => `${quoteIdentifier(schema)}."checkpoints${suffix}"`,
  );
  const client = await pool.connect();
  try {
    return (await client.query({ text: named, values })).rows as Record<string, unknown>[];
  } finally {
    client.release();
  }
}
