/** The statements that find records. All answer in the rows of `everythingOf`. */
import type { Param, Row } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { alive, everythingOf, opaque } from "../storage/everything-of.ts";
import type { OrderKey, RecordQuery } from "./list-options.ts";

export interface RecordStatements {
  /** `$1` id: the newest that has it. */
  readonly byId: Statement;
  /** `$1` id, `$2` thread. */
  readonly byIdInThread: Statement;
  /** `$1` thread, `$2` and `$3` namespaces: the last of both together. */
  readonly latest: Statement;
  /**
   * `$1` thread, `$2` namespace, `$3` id: its parent, versions and `data` (base64 in an encrypted
   * store), whether or not it has expired.
   */
  readonly data: Statement;
  page(query: RecordQuery): { readonly statement: Statement; readonly parameters: Param[] };
}

/** Everything that tells two rows apart, so that every order is total. */
const ORDER: Readonly<Record<OrderKey, readonly string[]>> = {
  createdAt: ["created_at", "seq", "checkpoint_id", "thread_id", "checkpoint_ns"],
  // A record's seq is its version. What graphs wrote is in the order in which it was written: its
  // version is a step, and steps begin anew after a fork.
  version: ["seq", "created_at", "checkpoint_id", "thread_id", "checkpoint_ns"],
  id: ["checkpoint_id", "thread_id", "checkpoint_ns"],
};

/** How a cursor's text becomes a column's value. */
const VALUE: Readonly<Record<string, (parameter: string) => string>> = {
  created_at: (parameter) => `'epoch'::timestamptz + ${parameter}::int8 * interval '1 us'`,
  seq: (parameter) => `${parameter}::int8`,
};

const MORE = "more";
const TOTAL = "total";

/** Where rows `c` come from, and the condition that they can be seen. */
interface Source {
  readonly from: string;
  readonly visible: string;
}

/** Of any thread. LIMIT makes it a look-up for each row: for a page, the planner would read all threads. */
function ofAny(names: TableNames): Source {
  return {
    from: `FROM ${names.checkpoints} c CROSS JOIN LATERAL (
    SELECT t.expires_at FROM ${names.threads} t WHERE t.thread_id = c.thread_id LIMIT 1
  ) t`,
    visible: `${alive("c")} AND ${alive("t")}`,
  };
}

/** Of one thread, which is looked at once. */
function ofThread(names: TableNames, parameter: string): Source {
  return {
    from: `FROM ${names.checkpoints} c`,
    visible: `c.thread_id = ${parameter} AND ${alive("c")}
    AND (SELECT ${alive("t")} FROM ${names.threads} t WHERE t.thread_id = ${parameter})`,
  };
}

export function recordStatements(names: TableNames, isSealed = false): RecordStatements {
  const made = new Map<string, Statement>();

  const byId = (label: string, { from, visible }: Source): Statement =>
    statement(
      label,
      // The rows are found before they are put in order: the planner would rather walk through time
      // until it meets one.
      `WITH found AS MATERIALIZED (
  SELECT c.* ${from} WHERE c.checkpoint_id = $1 AND ${visible}
), c AS MATERIALIZED (
  SELECT 1 AS place, found.* FROM found ORDER BY created_at DESC, thread_id DESC, checkpoint_ns DESC LIMIT 1
)${everythingOf(names, "c", "details", isSealed)}`,
    );

  const thread = ofThread(names, "$1");
  const lastOf = (namespace: string): string => `(SELECT c.* ${thread.from}
    WHERE ${thread.visible} AND c.checkpoint_ns = ${namespace}
    ORDER BY ${descending(ORDER.version, "c.")} LIMIT 1)`;

  return {
    byId: byId("record_by_id", ofAny(names)),
    byIdInThread: byId("record_in_thread", ofThread(names, "$2")),
    latest: statement(
      "last_record",
      `WITH c AS MATERIALIZED (
  SELECT 1 AS place, x.* FROM (${lastOf("$2")} UNION ALL ${lastOf("$3")}) x
  ORDER BY ${descending(ORDER.version)} LIMIT 1
)${everythingOf(names, "$1", "details", isSealed)}`,
    ),
    data: statement(
      "record_data",
      `SELECT c.parent_checkpoint_id, c.channel_versions::text, ${opaque("c.checkpoint_data", isSealed)} FROM ${names.checkpoints} c
WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 AND c.checkpoint_id = $3`,
    ),
    page(query) {
      const { text, parameters } = pageOf(names, query, isSealed);
      const known = made.get(text) ?? statement("records", text);
      made.set(text, known);
      return { statement: known, parameters };
    },
  };
}

/** The text depends on which conditions there are and never on their values, so that each is planned once. */
function pageOf(
  names: TableNames,
  query: RecordQuery,
  isSealed: boolean,
): { text: string; parameters: Param[] } {
  const { threadId, executionId, namespaces, filter, after, offset, order } = query;
  const parameters: Param[] = [query.limit];
  const bind = (value: Param): string => `$${parameters.push(value)}`;
  const { from, visible } = threadId === undefined ? ofAny(names) : ofThread(names, bind(threadId));
  const scope = [visible];
  if (executionId !== undefined) scope.push(`c.execution_id = ${bind(executionId)}`);
  if (filter !== undefined) scope.push(`c.metadata @> ${bind(filter)}::jsonb`);
  const arms = namespaces?.map((namespace) => `c.checkpoint_ns = ${bind(namespace)}`);
  const inNamespaces = arms ? [`(${arms.join(" OR ")})`] : [];
  const count = [...scope, ...inNamespaces].join(" AND ");

  // Where all are counted, all threads are needed.
  const counted =
    threadId === undefined
      ? `FROM ${names.checkpoints} c JOIN ${names.threads} t ON t.thread_id = c.thread_id`
      : from;

  const columns = ORDER[order.key];
  if (after !== undefined) {
    const values = columns.map((column, i) => {
      const parameter = bind(after.values[i] ?? "");
      return VALUE[column]?.(parameter) ?? parameter;
    });
    const row = columns.map((column) => `c.${column}`).join(", ");
    const [than, orSame] = order.descending ? ["<", "<="] : [">", ">="];
    // The first column by itself is what an index is entered by.
    scope.push(`c.${columns[0]} ${orSame} ${values[0]}`, `(${row}) ${than} (${values.join(", ")})`);
  }
  const skip = offset > 0 ? `OFFSET ${bind(offset)}::int8` : "";
  const direction = order.descending ? descending : ascending;
  const limit = `LIMIT $1::int8 + 1${offset > 0 ? ` + $${parameters.length}::int8` : ""}`;
  const arm = (more: readonly string[]): string =>
    `(SELECT c.* ${from} WHERE ${[...scope, ...more].join(" AND ")}
    ORDER BY ${direction(columns, "c.")} ${limit})`;
  // Two namespaces of a thread, each in the order of the index, instead of one sort of everything.
  const rows =
    arms && threadId !== undefined && order.key === "version"
      ? arms.map((one) => arm([one])).join(" UNION ALL ")
      : executionId !== undefined
        ? // A fence: the planner would rather walk through time until it has met enough of them.
          `SELECT c.* ${from} WHERE ${[...scope, ...inNamespaces].join(" AND ")} OFFSET 0`
        : arm(inNamespaces);
  const text = `WITH p AS MATERIALIZED (
  SELECT row_number() OVER () AS place, y.* FROM (
    SELECT x.* FROM (${rows}) x ORDER BY ${direction(columns, "x.")} LIMIT $1::int8 + 1 ${skip}
  ) y
), c AS MATERIALIZED (SELECT * FROM p WHERE place <= $1::int8)${everythingOf(names, "c", "details", isSealed)}
UNION ALL
SELECT '${MORE}', ${nulls(8)}, NULL::bytea, NULL, NULL FROM p WHERE place > $1::int8${
    query.count
      ? `\nUNION ALL\nSELECT '${TOTAL}', count(*)::text, ${nulls(7)}, NULL::bytea, NULL, NULL ${counted} WHERE ${count}`
      : ""
  }`;
  return { text, parameters };
}

/** What a page says besides its records. */
export function pageFacts(rows: readonly Row[]): { more: boolean; total: number | undefined } {
  const total = rows.find((row) => row[0] === TOTAL);
  return {
    more: rows.some((row) => row[0] === MORE),
    total: total === undefined ? undefined : Number(total[1]),
  };
}

function descending(columns: readonly string[], prefix = ""): string {
  return columns.map((column) => `${prefix}${column} DESC`).join(", ");
}

function ascending(columns: readonly string[], prefix = ""): string {
  return columns.map((column) => prefix + column).join(", ");
}

function nulls(count: number): string {
  return Array.from({ length: count }, () => "NULL").join(", ");
}
