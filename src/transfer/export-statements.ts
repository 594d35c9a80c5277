/** The statements that read a thread's rows as an export has them, and put them back. */
import { SEALED } from "../encryption/cipher.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";
import { COMPRESSED } from "../storage/compression.ts";
import { beginsWith } from "../storage/everything-of.ts";
import { PART_NAMES, PARTS, type Part, THREAD_COLUMNS } from "./export-format.ts";

export interface ExportStatements {
  /** Makes a transaction one snapshot that cannot write. */
  readonly snapshot: Statement;
  readonly count: Statement;
  /** `$1` the last id seen, `$2` how many: ids of threads that have not expired. */
  readonly threads: Statement;
  /** `$1` thread. */
  readonly thread: Statement;
  /** `$1` thread, `$2` how many, then the key of the last row seen, or NULLs: its columns, then the key of each. */
  readonly page: Readonly<Record<Part, Statement>>;
  /** `$1` id, `$2` generation, then the other columns: the id, if there was no such thread. */
  readonly begin: Statement;
  /** `$1` thread, then a `text[]` for each column: adds the rows. */
  readonly insert: Readonly<Record<Part, Statement>>;
  /** `$1` thread: a row where something refers to a chunk that is not there. */
  readonly dangling: Statement;
}

/** What a page is continued by. */
export const KEYS: Readonly<Record<Part, readonly (readonly [column: string, type: string])[]>> = {
  chunk: [["chunk_id", "uuid"]],
  value: [
    ["checkpoint_ns", "text"],
    ["channel", "text"],
    ["version", "text"],
  ],
  checkpoint: [
    ["seq", "int8"],
    ["checkpoint_ns", "text"],
    ["checkpoint_id", "text"],
  ],
  write: [
    ["checkpoint_ns", "text"],
    ["checkpoint_id", "text"],
    ["task_id", "text"],
    ["idx", "int4"],
  ],
};

const time = (column: string): string =>
  `CASE WHEN isfinite(${column}) THEN (extract(epoch FROM ${column}) * 1000000)::int8::text ELSE ${column}::text END`;
const timeBack = (cell: string): string =>
  `CASE WHEN ${cell} LIKE '%infinity' THEN ${cell}::timestamptz
    ELSE 'epoch'::timestamptz + ${cell}::int8 * interval '1 microsecond' END`;

/** Of the columns that hold bytes, whether a row's are to travel as base64. */
const OPAQUE: Readonly<Record<Part, readonly [column: string, condition: string]>> = {
  chunk: [
    "payload",
    `(${beginsWith("x.payload", SEALED)} OR ${beginsWith("x.payload", COMPRESSED)})`,
  ],
  value: ["payload", "x.type <> 'json'"],
  checkpoint: ["checkpoint_data", beginsWith("x.checkpoint_data", SEALED)],
  write: ["payload", "x.type <> 'json'"],
};

/** A column as text. */
function reading(part: Part, column: string): string {
  const type: string = columnsOf(part)[column] ?? "text";
  const [bytes, isOpaque] = OPAQUE[part];
  if (column === bytes) return `CASE WHEN NOT (${isOpaque}) THEN x.${bytes} END`;
  if (column === "base64") return `CASE WHEN ${isOpaque} THEN encode(x.${bytes}, 'base64') END`;
  if (type.startsWith("time")) return time(`x.${column}`);
  return type.startsWith("text") ? `x.${column}` : `x.${column}::text`;
}

/** The cell `i.column` as its column holds it. */
function writing(part: Part, column: string): string {
  const type: string = columnsOf(part)[column] ?? "text";
  const cell = `i.${column}`;
  if (column === OPAQUE[part][0]) {
    return `COALESCE(convert_to(${cell}, 'UTF8'), decode(i.base64, 'base64'))`;
  }
  if (column === "channel_versions") return `${cell}::json`;
  if (column === "metadata") return `${cell}::jsonb`;
  if (type.startsWith("time")) return timeBack(cell);
  if (type.startsWith("int")) return `${cell}::int8`;
  if (type.startsWith("ids")) return `${cell}::uuid[]`;
  return type === "uuid" ? `${cell}::uuid` : cell;
}

function columnsOf(part: Part): Readonly<Record<string, string>> {
  return PARTS[part].columns;
}

const forEach = <T>(make: (part: Part) => T): Record<Part, T> =>
  Object.fromEntries(PART_NAMES.map((part) => [part, make(part)])) as Record<Part, T>;

export const exportStatements: (names: TableNames) => ExportStatements = perStore((names) => {
  const page = (part: Part): Statement => {
    const columns = Object.keys(PARTS[part].columns).map((column) => reading(part, column));
    const keys = KEYS[part];
    const key = keys.map(([column]) => `x.${column}`).join(", ");
    const last = keys.map(([, type], i) => `$${3 + i}::${type}`).join(", ");
    return statement(
      `export_${part}`,
      `SELECT ${[...columns, ...keys.map(([column]) => `x.${column}::text`)].join(", ")}
FROM ${names[PARTS[part].table]} x WHERE x.thread_id = $1 AND ($3::text IS NULL OR (${key}) > (${last}))
ORDER BY ${key} LIMIT $2::int8`.replaceAll("$3::text", `$3::${keys[0]?.[1]}`),
    );
  };
  const insert = (part: Part): Statement => {
    const columns = Object.keys(PARTS[part].columns);
    const own = columns.filter((column) => column !== "base64");
    const arrays = columns.map((_, i) => `$${2 + i}::text[]`).join(", ");
    return statement(
      `import_${part}`,
      `INSERT INTO ${names[PARTS[part].table]} (thread_id, ${own.join(", ")})
SELECT $1, ${own.map((column) => writing(part, column)).join(", ")}
FROM unnest(${arrays}) AS i(${columns.join(", ")})`,
    );
  };
  const chunks = (from: string, column: string): string =>
    `SELECT unnest(x.${column}) AS id FROM ${from} x WHERE x.thread_id = $1`;
  return {
    snapshot: statement(
      "export_snapshot",
      "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    ),
    count: statement(
      "export_count",
      `SELECT count(*)::text FROM ${names.threads} WHERE expires_at IS NULL OR expires_at > now()`,
    ),
    threads: statement(
      "export_threads",
      `SELECT thread_id FROM ${names.threads}
WHERE thread_id > $1 COLLATE "C" AND (expires_at IS NULL OR expires_at > now()) ORDER BY thread_id LIMIT $2::int8`,
    ),
    thread: statement(
      "export_thread",
      `SELECT x.thread_id, x.last_seq::text, ${time("x.created_at")}, ${time("x.updated_at")}, ${time("x.expires_at")}
FROM ${names.threads} x WHERE x.thread_id = $1 AND (x.expires_at IS NULL OR x.expires_at > now())`,
    ),
    page: forEach(page),
    begin: statement(
      "import_thread",
      `INSERT INTO ${names.threads} (thread_id, generation, ${Object.keys(THREAD_COLUMNS).slice(1).join(", ")})
SELECT $1, $2::uuid, $3::int8, ${timeBack("$4::text")}, ${timeBack("$5::text")}, ${timeBack("$6::text")}
ON CONFLICT (thread_id) DO NOTHING RETURNING thread_id`,
    ),
    insert: forEach(insert),
    dangling: statement(
      "import_dangling",
      `SELECT refs.id::text FROM (
  ${[chunks(names.values, "chunks"), chunks(names.writes, "chunks"), chunks(names.chunks, "children")].join("\n  UNION ")}
) refs WHERE NOT EXISTS (SELECT FROM ${names.chunks} k WHERE k.thread_id = $1 AND k.chunk_id = refs.id) LIMIT 1`,
    ),
  };
});
