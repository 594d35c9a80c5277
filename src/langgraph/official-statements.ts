/** The statements that read the official package's tables. */
import { type Statement, statement } from "../postgres/statement.ts";
import { type OfficialTables, TABLES } from "./official-tables.ts";

/** One row about thread `$1`: checkpoints, their pending writes, the greatest id. */
export function summarySql({ checkpoints, writes }: OfficialTables): string {
  return `SELECT count(*) AS checkpoints, (
  SELECT count(*) FROM ${writes} w JOIN ${checkpoints} c USING (thread_id, checkpoint_ns, checkpoint_id)
  WHERE w.thread_id = $1
) AS writes, COALESCE(max(checkpoint_id COLLATE "C"), '') AS newest
FROM ${checkpoints} WHERE thread_id = $1`;
}

export interface OfficialStatements {
  readonly count: Statement;
  /** `$1` how many. */
  readonly firstThreads: Statement;
  /** `$1` how many, `$2` the last id of the page before. */
  readonly threadsAfter: Statement;
  /** `$1` thread. */
  readonly summary: Statement;
  /** `$1` thread. */
  readonly thread: Statement;
  /** `$1` thread, `$2` and `$3` id and namespace of the last checkpoint of the page before, `$4` how many. */
  readonly page: Statement;
}

export function officialStatements(tables: OfficialTables): OfficialStatements {
  const { checkpoints, blobs, writes } = tables;
  const threads = (condition: string): Statement =>
    statement(
      "official_threads",
      `SELECT DISTINCT thread_id FROM ${checkpoints} ${condition} ORDER BY thread_id LIMIT $1::int8`,
    );
  const order = `checkpoint_id COLLATE "C", checkpoint_ns COLLATE "C"`;
  // The server's own jsonb holds what is no object only after somebody's mistake; then it names nothing.
  const versions = `jsonb_each_text(CASE jsonb_typeof(c.checkpoint -> 'channel_versions')
      WHEN 'object' THEN c.checkpoint -> 'channel_versions' ELSE '{}' END)`;
  const stored = (row: string): string => `${row}.type,
  CASE WHEN ${row}.type = 'json' THEN ${row}.blob END,
  CASE WHEN ${row}.type IS DISTINCT FROM 'json' THEN encode(${row}.blob, 'base64') END`;
  const size = (table: string, columns: readonly string[]): string =>
    `COALESCE((SELECT sum(24 + ${columns.map((name) => `COALESCE(pg_column_size(x.${name}), 0)`).join(" + ")})
    FROM ${table} x WHERE x.thread_id = $1), 0)`;
  return {
    count: statement(
      "official_count",
      `SELECT count(DISTINCT thread_id)::text FROM ${checkpoints}`,
    ),
    firstThreads: threads(""),
    threadsAfter: threads("WHERE thread_id > $2"),
    summary: statement(
      "official_summary",
      `SELECT s.checkpoints::text, s.writes::text, s.newest FROM (${summarySql(tables)}) s`,
    ),
    thread: statement(
      "official_thread",
      `(SELECT 'key', checkpoint_ns, checkpoint_id FROM ${checkpoints} WHERE thread_id = $1 ORDER BY ${order})
UNION ALL
SELECT 'totals', (
  SELECT count(*) FROM ${writes} w JOIN ${checkpoints} c USING (thread_id, checkpoint_ns, checkpoint_id)
  WHERE w.thread_id = $1
)::text, (${[
        size(checkpoints, TABLES.checkpoints),
        size(blobs, TABLES.checkpoint_blobs),
        size(writes, TABLES.checkpoint_writes),
      ].join(" + ")})::text`,
    ),
    page: statement(
      "official_page",
      `WITH c AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY ${order}) AS place, * FROM ${checkpoints}
  WHERE thread_id = $1 AND (${order}) > ($2, $3) ORDER BY ${order} LIMIT $4::int8
), named AS (
  SELECT DISTINCT c.checkpoint_ns, e.key, e.value FROM c CROSS JOIN LATERAL ${versions} e
)
SELECT 'checkpoint', c.place::text, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id,
  c.checkpoint::text, c.metadata::text, NULL, NULL
FROM c
UNION ALL
SELECT 'value', NULL, b.checkpoint_ns, b.channel, b.version, NULL, ${stored("b")}
FROM named n JOIN ${blobs} b ON b.thread_id = $1 AND b.checkpoint_ns = n.checkpoint_ns
  AND b.channel = n.key AND b.version = n.value
WHERE b.type <> 'empty'
UNION ALL
SELECT 'write', c.place::text, w.task_id, w.channel, w.idx::text, NULL, ${stored("w")}
FROM c JOIN ${writes} w ON w.thread_id = $1 AND w.checkpoint_ns = c.checkpoint_ns
  AND w.checkpoint_id = c.checkpoint_id`,
    ),
  };
}
