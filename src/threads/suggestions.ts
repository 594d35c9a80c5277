/** What an operator might do, from what `stats` found. */
import type { ResolvedSettings } from "../options.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import type { StoreStats, TableStats } from "./stats.ts";

/** What an operator might do. */
export interface Suggestion {
  /** One or two sentences: what was found, and what to do. */
  readonly message: string;
  /** The statement that does it, where it is one. */
  readonly sql?: string;
}

type Found = Omit<StoreStats, "suggestions">;
type Rule = (found: Found, names: TableNames, settings: ResolvedSettings) => Suggestion[];

const MANY_ROWS = 100_000;
const MANY_DEAD = 10_000;
const DEAD_SHARE = 0.2;
const NEVER_ANALYZED = 1000;
const LARGE_SHARE = 0.2;
const LARGE_THREAD = 100 * 1024 * 1024;

const RULES: readonly Rule[] = [
  ({ expired: { threads, checkpoints } }) =>
    threads + checkpoints === 0
      ? []
      : [
          {
            message: `${threads} threads and ${checkpoints} checkpoints have expired and still take space. Start the sweeper, or call cleanupExpired().`,
          },
        ],

  ({ tables }, names) =>
    tables.filter(isBloated).map(({ table, deadRows, rows }) => ({
      message: `${names[table]} has ${deadRows} dead rows beside ${rows} living ones. Let autovacuum come earlier, and vacuum it now.`,
      sql: `ALTER TABLE ${names[table]} SET (autovacuum_vacuum_scale_factor = 0.05)`,
    })),

  ({ tables }, names) =>
    tables
      .filter(({ rows, analyzedAt }) => rows >= NEVER_ANALYZED && analyzedAt === null)
      .map(({ table }) => ({
        message: `${names[table]} was never analyzed, so the planner guesses. Is autovacuum on?`,
        sql: `ANALYZE ${names[table]}`,
      })),

  ({ tables }, names) =>
    tables.flatMap(({ indexes }) =>
      indexes
        .filter(({ valid }) => !valid)
        .map(({ name }) => ({
          message: `The index ${name} is not valid: building it was interrupted. It costs every write and helps no read.`,
          sql: `REINDEX INDEX CONCURRENTLY ${names.schema}."${name.replaceAll('"', '""')}"`,
        })),
    ),

  ({ tables }, names) => {
    const checkpoints = tables.find(({ table }) => table === "checkpoints");
    const there = checkpoints?.indexes.some(
      ({ name }) => name === `${names.tableName}_metadata_idx`,
    );
    if (checkpoints === undefined || there || checkpoints.rows < MANY_ROWS) return [];
    return [
      {
        message: `Filters on metadata read all ${checkpoints.rows} checkpoints. If you list across threads by metadata, create the optional index: metadataIndex: true.`,
      },
    ];
  },

  ({ bytes, largestThreads }) =>
    largestThreads
      .filter((thread) => thread.bytes >= LARGE_THREAD && thread.bytes >= LARGE_SHARE * bytes)
      .map((thread) => ({
        message: `Thread ${JSON.stringify(thread.threadId)} takes ${Math.round((100 * thread.bytes) / bytes)} % of the store. Prune it, or set maxCheckpoints.`,
      })),
];

export const suggestions: (...found: Parameters<Rule>) => Suggestion[] = (...found) =>
  RULES.flatMap((rule) => rule(...found));

function isBloated({ deadRows, rows }: TableStats): boolean {
  return deadRows >= MANY_DEAD && deadRows >= DEAD_SHARE * (rows + deadRows);
}
