/** The statements that show threads: whole pages of them, newest activity first. */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";
import { rowBytes } from "../retention/row-bytes.ts";

/** Each answers rows in the order that `threadInfo` takes apart. */
export interface ThreadStatements {
  /** `$1` thread. */
  readonly one: Statement;
  /** `$1` how many, then what the shape asks for, in its order. */
  readonly page: (shape: ThreadPageShape) => Statement;
}

export interface ThreadPageShape {
  /** A time, in microseconds since the epoch. */
  readonly updatedAfter: boolean;
  /** JSON text that the metadata of the newest checkpoint must contain. */
  readonly metadata: boolean;
  /** Time and id of the last thread of the page before. */
  readonly after: boolean;
}

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::int8::text`;
const timeOf = (parameter: string): string =>
  `('epoch'::timestamptz + ${parameter}::int8 * interval '1 microsecond')`;
/** What the column `active_minute` is made of, for a time. */
const minuteOf = (time: string): string => `date_trunc('minute', ${time} AT TIME ZONE 'UTC')`;
const alive = (row: string): string => `(${row}.expires_at IS NULL OR ${row}.expires_at > now())`;

export const threadStatements: (names: TableNames) => ThreadStatements = perStore((names) => {
  // The newest checkpoint that can be seen; a thread without one is not shown.
  const newest = `CROSS JOIN LATERAL (
    SELECT c.checkpoint_ns, c.checkpoint_id, c.metadata FROM ${names.checkpoints} c
    WHERE c.thread_id = t.thread_id AND ${alive("c")}
    ORDER BY c.created_at DESC, c.seq DESC LIMIT 1
  ) newest`;

  const bytesOf = (table: "values" | "chunks", alias: string): string =>
    `SELECT COALESCE(sum(${rowBytes(table, alias)}), 0) AS bytes
    FROM ${names[table]} ${alias} WHERE ${alias}.thread_id = p.thread_id`;

  // The page is chosen first, so that only its own threads are counted.
  const shown = (page: string): string => `WITH p AS MATERIALIZED (
  SELECT row_number() OVER () AS place, t.* FROM (
    SELECT t.thread_id, t.created_at, t.updated_at, t.expires_at,
      newest.checkpoint_ns, newest.checkpoint_id, newest.metadata
    FROM ${names.threads} t ${newest}
    WHERE ${alive("t")} ${page}
  ) t
)
SELECT p.thread_id, ${micros("p.created_at")}, ${micros("p.updated_at")}, ${micros("p.expires_at")},
  c.count::text, c.namespaces::text, w.count::text, (c.bytes + v.bytes + k.bytes + w.bytes)::text,
  p.checkpoint_ns, p.checkpoint_id, p.metadata::text
FROM p
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE ${alive("c")}) AS count,
      count(DISTINCT c.checkpoint_ns) FILTER (WHERE ${alive("c")}) AS namespaces,
      COALESCE(sum(${rowBytes("checkpoints", "c")}), 0) AS bytes
    FROM ${names.checkpoints} c WHERE c.thread_id = p.thread_id
  ) c
  CROSS JOIN LATERAL (${bytesOf("values", "v")}) v
  CROSS JOIN LATERAL (${bytesOf("chunks", "k")}) k
  CROSS JOIN LATERAL (
    SELECT count(*) AS count, COALESCE(sum(${rowBytes("writes", "w")}), 0) AS bytes
    FROM ${names.writes} w WHERE w.thread_id = p.thread_id
  ) w
ORDER BY p.place`;

  const page = (shape: ThreadPageShape): Statement => {
    let count = 1; // $1 is the limit.
    const next = (): string => {
      count += 1;
      return `$${count}`;
    };
    const where: string[] = [];
    if (shape.updatedAfter) {
      const time = timeOf(next());
      where.push(`t.updated_at > ${time}`, `t.active_minute >= ${minuteOf(time)}`);
    }
    if (shape.metadata) where.push(`newest.metadata @> ${next()}::jsonb`);
    if (shape.after) {
      const time = timeOf(next());
      where.push(
        `(t.updated_at, t.thread_id) < (${time}, ${next()} COLLATE "C")`,
        `t.active_minute <= ${minuteOf(time)}`,
      );
    }
    // The index has minutes: put by put it would cost too much to keep. Within one, PostgreSQL sorts.
    return statement(
      "threads",
      shown(`${where.map((condition) => `AND ${condition}`).join(" ")}
    ORDER BY t.active_minute DESC, t.updated_at DESC, t.thread_id DESC LIMIT $1::int8`),
    );
  };

  return { one: statement("thread_info", shown("AND t.thread_id = $1")), page };
});
