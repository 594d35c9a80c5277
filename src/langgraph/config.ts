/** What a saver reads from a LangGraph config, checked before the database is asked. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { InvalidConfigError } from "../errors.ts";
import { describe } from "../options.ts";
import { checkThreadId } from "../storage/names.ts";

/** The thread id that the config must have. */
export function threadIdOf(config: RunnableConfig): string {
  return checkThreadId(config.configurable?.thread_id);
}

/** The thread id that the config may have; the empty string is an error, not "all threads". */
export function optionalThreadIdOf(config: RunnableConfig): string | undefined {
  const threadId: unknown = config.configurable?.thread_id;
  return threadId === undefined ? undefined : checkThreadId(threadId);
}

/** The namespace; missing means the root's. */
export function namespaceOf(config: RunnableConfig): string {
  return optionalNamespaceOf(config) ?? "";
}

export function optionalNamespaceOf(config: RunnableConfig): string | undefined {
  return optionalText(config, "checkpoint_ns");
}

/** The checkpoint id, if the config names one. `thread_ts` is its name in old configs. */
export function checkpointIdOf(config: RunnableConfig): string | undefined {
  return optionalText(config, "checkpoint_id") || optionalText(config, "thread_ts") || undefined;
}

/** The checkpoints of the graphs around this one, outermost first; none for a root graph. */
export function enclosingIdsOf(config: RunnableConfig): string[] {
  const map: unknown = config.configurable?.checkpoint_map;
  if (typeof map !== "object" || map === null) return [];
  return Object.values(map).filter((id): id is string => typeof id === "string" && id !== "");
}

/** Who runs: LangGraph's servers and users put a run id into the config or its metadata. */
export function runIdOf(config: RunnableConfig, metadata: object): string | null {
  const candidates: unknown[] = [
    config.configurable?.run_id,
    config.metadata?.run_id,
    "run_id" in metadata ? metadata.run_id : undefined,
    "execution_id" in metadata ? metadata.execution_id : undefined,
  ];
  return candidates.find((id): id is string => typeof id === "string" && id !== "") ?? null;
}

/** The fencing token of the lease that the run holds, if it holds one. */
export function leaseOf(config: RunnableConfig): number | undefined {
  const token: unknown = config.configurable?.lease_token;
  if (token === undefined || token === null) return undefined;
  if (typeof token === "number" && Number.isSafeInteger(token)) return token;
  throw new InvalidConfigError("lease_token must be the token of a lease: pass lease.config.");
}

/** The limit, undefined for none. Zero lists nothing, as in LangGraph's savers. */
export function limitOf(limit: unknown): number | undefined {
  if (limit === undefined || limit === null) return undefined;
  if (typeof limit === "number" && Number.isInteger(limit) && limit >= 0) return limit;
  throw new InvalidConfigError(
    `limit must be a whole number, zero or more; got ${describe(limit)}. Leave it out to list everything.`,
  );
}

function optionalText(config: RunnableConfig, key: string): string | undefined {
  const value: unknown = config.configurable?.[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new InvalidConfigError(`${key} must be a string, got ${typeof value}.`);
}
