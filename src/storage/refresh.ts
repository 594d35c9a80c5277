/** `ttl.refresh: "read"`: reading a thread puts off its end, as writing to it does. */
import { dropOldest } from "../drop-oldest.ts";
import type { ResolvedSettings } from "../options.ts";
import type { Executor } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import { encodeName } from "./names.ts";

export interface ReadKey {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
}

/**
 * Puts off the end of the thread, and of the checkpoint too if `own` says that its end came from the
 * settings. Undefined where reading does not do that.
 */
export type Refresh = (key: ReadKey, own: boolean) => Promise<void>;

/** A tenth of a life is not worth a write: what was refreshed so lately is left alone. */
const WORTH = 0.1;
/** Checkpoints remembered as refreshed; what is forgotten costs one look more. */
const REMEMBERED = 10_000;

export function createRefresh(
  executor: Executor,
  names: TableNames,
  ttl: ResolvedSettings["ttl"],
): Refresh | undefined {
  const shortest = Math.min(ttl.threads ?? Infinity, ttl.checkpoints ?? Infinity);
  if (ttl.refresh !== "read" || shortest === Infinity) return undefined;
  // What expired meanwhile stays expired. Rows whose end is far enough are not touched.
  const due = (row: string, ms: string): string =>
    `${row}.expires_at > now() AND ${row}.expires_at < now() + ${ms}::int8 * interval '1 ms' * ${1 - WORTH}`;
  const refresh = statement(
    "refresh",
    `WITH thread AS (
  UPDATE ${names.threads} t SET expires_at = now() + $2::int8 * interval '1 ms'
  WHERE t.thread_id = $1 AND ${due("t", "$2")}
)
UPDATE ${names.checkpoints} c SET expires_at = now() + $3::int8 * interval '1 ms'
WHERE c.thread_id = $1 AND c.checkpoint_ns = $4 AND c.checkpoint_id = $5 AND ${due("c", "$3")}`,
  );
  const lately = new Map<string, number>();
  return async ({ threadId, namespace, checkpointId }, own) => {
    const key = JSON.stringify([threadId, namespace, checkpointId]);
    const now = performance.now();
    if (now - (lately.get(key) ?? -Infinity) < shortest * WORTH) return;
    await executor.execute(refresh, [
      threadId,
      ttl.threads,
      own ? ttl.checkpoints : null,
      encodeName(namespace),
      encodeName(checkpointId),
    ]);
    lately.delete(key);
    lately.set(key, now);
    dropOldest(lately, REMEMBERED);
  };
}
