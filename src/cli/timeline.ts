/** The checkpoints of a thread without their values: what a timeline shows of them. */
import { CheckpointNotFoundError } from "../errors.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { perStore } from "../retention/per-store.ts";
import { checkThreadId, decodeName, isOfRecords } from "../storage/names.ts";
import type { Storage } from "../storage/storage.ts";

export interface TimelineEntry {
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  /** The order in which the thread's checkpoints were put. */
  readonly seq: number;
  readonly createdAt: Date;
  readonly source: string | null;
  /** Of a graph's checkpoint. */
  readonly step: number | null;
  /** Of a record. */
  readonly version: number | null;
  readonly runId: string | null;
  /** Pending writes, and how many of them are interrupts and errors. */
  readonly writes: number;
  readonly interrupts: number;
  readonly errors: number;
}

const timelineStatement: (names: TableNames) => Statement = perStore((names) =>
  statement(
    "timeline",
    `SELECT c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.seq::text,
  (extract(epoch FROM c.created_at) * 1000)::int8::text, c.metadata ->> 'source', c.metadata ->> 'step',
  c.execution_id, w.count::text, w.interrupts::text, w.errors::text, c.version::text
FROM ${names.checkpoints} c JOIN ${names.threads} t ON t.thread_id = c.thread_id
  CROSS JOIN LATERAL (
    SELECT count(*) AS count, count(*) FILTER (WHERE w.channel = '__interrupt__') AS interrupts,
      count(*) FILTER (WHERE w.channel = '__error__') AS errors
    FROM ${names.writes} w WHERE w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns
      AND w.checkpoint_id = c.checkpoint_id
  ) w
WHERE c.thread_id = $1 AND (c.expires_at IS NULL OR c.expires_at > now())
  AND (t.expires_at IS NULL OR t.expires_at > now())
ORDER BY c.seq, c.checkpoint_ns, c.checkpoint_id`,
  ),
);

/** Oldest first. Throws {@link CheckpointNotFoundError} where there is no such thread. */
export async function timeline(
  { database, names }: Pick<Storage, "database" | "names">,
  thread: string,
): Promise<TimelineEntry[]> {
  const rows = await database.execute(timelineStatement(names), [checkThreadId(thread)]);
  if (rows.length === 0) {
    throw new CheckpointNotFoundError(
      `There is no thread ${JSON.stringify(thread)} in ${names.checkpoints}.`,
    );
  }
  return rows.map((row) => ({
    namespace: decodeName(row[0] ?? ""),
    checkpointId: decodeName(row[1] ?? ""),
    parentId: row[2] == null ? null : decodeName(row[2]),
    seq: Number(row[3]),
    createdAt: new Date(Number(row[4])),
    source: row[5] == null ? null : decodeName(row[5]),
    step: row[6] == null || Number.isNaN(Number(row[6])) ? null : Number(row[6]),
    runId: row[7] == null ? null : decodeName(row[7]),
    writes: Number(row[8]),
    interrupts: Number(row[9]),
    errors: Number(row[10]),
    version: row[11] == null || !isOfRecords(row[0] ?? "") ? null : Number(row[11]),
  }));
}

/** The one checkpoint whose id begins so; without a beginning, the latest of the namespace. */
export function pick(
  entries: readonly TimelineEntry[],
  beginning: string | undefined,
  namespace: string | undefined,
): TimelineEntry {
  const candidates = entries.filter(
    (one) =>
      (namespace === undefined
        ? beginning !== undefined || one.namespace === ""
        : one.namespace === namespace) &&
      (beginning === undefined || one.checkpointId.startsWith(beginning)),
  );
  // Without the root's namespace there are a record's or a subgraph's; the latest of those, then.
  const found =
    candidates.length > 0 || beginning !== undefined || namespace !== undefined
      ? candidates
      : entries;
  const exact = found.filter((one) => one.checkpointId === beginning);
  const [only, another] =
    exact.length > 0 ? exact : beginning === undefined ? found.slice(-1) : found;
  if (only === undefined) {
    throw new CheckpointNotFoundError(
      `The thread has no checkpoint${beginning === undefined ? "" : ` ${JSON.stringify(beginning)}`}${namespace === undefined ? "" : ` in namespace ${JSON.stringify(namespace)}`}. See: langgraph-postgres history`,
    );
  }
  if (another === undefined) return only;
  throw new CheckpointNotFoundError(
    `${JSON.stringify(beginning)} is the beginning of several checkpoints: write more of its id, or name a --namespace.`,
  );
}
