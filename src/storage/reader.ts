/** Reading checkpoints, one or many. */
import type { Cipher } from "../encryption/cipher.ts";
import { int4Array, textArray } from "../postgres/arrays.ts";
import type { Executor, Row } from "../postgres/database.ts";
import type { ChunkSource } from "../values/codec.ts";
import type { Ahead, Guess } from "./ahead.ts";
import { changedTooOften, MAX_ATTEMPTS } from "./attempts.ts";
import type { ChunkLoader, Placed } from "./chunk-loader.ts";
import { checkFilter } from "./filter-metadata.ts";
import type { LatestRead } from "./latest-reads.ts";
import { encodeName, versionText } from "./names.ts";
import { pageOf } from "./page.ts";
import type { ReadStatements } from "./read-statements.ts";
import { type CheckpointRows, parseRows, versionsOf, writeOf } from "./rows.ts";
import type { KnowledgeStore } from "./thread-knowledge.ts";

export interface StoredWrite {
  readonly taskId: string;
  readonly channel: string;
  readonly taskPath: string;
  readonly idx: number;
  readonly value: unknown;
}

/** A checkpoint as it was put, its values and pending writes revived; the writes in no order. */
export interface StoredCheckpoint
  extends Omit<CheckpointRows, "values" | "writes" | "channelVersions"> {
  readonly channelVersions: Readonly<Record<string, string | number>>;
  readonly values: ReadonlyMap<string, unknown>;
  readonly writes: readonly StoredWrite[];
}

export interface CheckpointKey {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
}

/** Which checkpoints a list has; each condition narrows it. */
export interface ListQuery {
  readonly threadId?: string | undefined;
  readonly namespace?: string | undefined;
  readonly checkpointId?: string | undefined;
  /** The id of a checkpoint; only older ones are listed. */
  readonly before?: string | undefined;
  /** JSON text that the metadata must contain. */
  readonly filter?: string | undefined;
  readonly limit?: number | undefined;
}

export interface Reader {
  /** The checkpoint, or the latest of its namespace. */
  read(threadId: string, namespace: string, id?: string): Promise<StoredCheckpoint | undefined>;
  /** Newest first, page by page; nothing is held open between pages. */
  list(query: ListQuery): AsyncGenerator<StoredCheckpoint>;
  /** The checkpoints in the answer of a statement that ends in `everythingOf`, in its order. */
  find(run: () => Promise<Row[]>): Promise<StoredCheckpoint[]>;
  /** Pending writes on one channel, for several checkpoints at once, in the order of `keys`. */
  writesOn(keys: readonly CheckpointKey[], channel: string): Promise<StoredWrite[][]>;
}

export interface ReaderParts {
  readonly executor: Executor;
  readonly statements: ReadStatements;
  /** How the latest checkpoint is asked for, if not by a statement of its own. */
  readonly latest?: LatestRead | undefined;
  readonly knowledge: KnowledgeStore;
  readonly loader: ChunkLoader;
  readonly cipher: Cipher | undefined;
  readonly ahead?: Ahead | undefined;
}

/** Checkpoints a page; it bounds what a list keeps in memory. */
const PAGE = 50;

interface Loaded {
  readonly rows: CheckpointRows;
  readonly generation: string;
  readonly source: ChunkSource;
}

export function createReader(parts: ReaderParts): Reader {
  const { executor, statements, knowledge, loader, cipher, ahead } = parts;
  const latest: LatestRead = parts.latest ?? ((...key) => executor.execute(statements.latest, key));
  /** Begun anew when a thread was pruned between the rows and their chunks. */
  const load = async (run: () => Promise<Row[]>): Promise<Loaded[]> => {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const { threads, checkpoints } = parseRows(await run(), cipher);
      const sources = new Map<string, ChunkSource>();
      for (const { threadId, generation, createdAt } of threads) {
        knowledge.learn(threadId, generation, createdAt);
        const values = checkpoints.filter((rows) => rows.threadId === threadId).flatMap(placedOf);
        const source = await loader.load(threadId, generation, values);
        if (source) sources.set(threadId, source);
      }
      if (sources.size < threads.length) continue;
      const byId = new Map(threads.map((thread) => [thread.threadId, thread]));
      for (const { threadId, checkpointId } of checkpoints) {
        knowledge.saw(threadId, checkpointId, byId.get(threadId)?.createdAt ?? "");
      }
      return checkpoints.flatMap((rows) => {
        const source = sources.get(rows.threadId);
        const { generation = "" } = byId.get(rows.threadId) ?? {};
        return source ? [{ rows, generation, source }] : [];
      });
    }
    throw changedTooOften(undefined, "read");
  };

  const revive = async (
    { rows, generation, source }: Loaded,
    guess?: Guess,
  ): Promise<StoredCheckpoint> => {
    const channelVersions = versionsOf(rows);
    const stored = rows.values.map(({ channel }) => ({
      checkpoint_ns: encodeName(rows.namespace),
      channel: encodeName(channel),
      version: versionText(channelVersions[channel]),
    }));
    knowledge.rememberValues(rows.threadId, generation, stored);
    const values = new Map<string, unknown>();
    for (const { channel, value } of rows.values) {
      const ready = guess?.take(channel);
      const decoded = ready
        ? ready.value
        : loader.decode({ value, where: whereIn(rows, channel) }, source);
      values.set(channel, decoded instanceof Promise ? await decoded : decoded);
    }
    const writes: StoredWrite[] = [];
    for (const write of rows.writes) {
      const placed = { value: write.value, where: whereIn(rows, write.channel) };
      const decoded = loader.decode(placed, source);
      writes.push({ ...write, value: decoded instanceof Promise ? await decoded : decoded });
    }
    return { ...rows, channelVersions, values, writes };
  };

  /** Undefined where the chunks of one are elsewhere by now: a thread was pruned, or rewritten under a new key. */
  const writesAtOnce = async (
    keys: readonly CheckpointKey[],
    channel: string,
  ): Promise<StoredWrite[][] | undefined> => {
    const rows = await executor.execute(statements.writesOn, [
      int4Array(keys.map((_, i) => i)),
      textArray(keys.map((key) => key.threadId)),
      textArray(keys.map((key) => encodeName(key.namespace))),
      textArray(keys.map((key) => encodeName(key.checkpointId))),
      encodeName(channel),
    ]);
    const found: StoredWrite[][] = keys.map(() => []);
    for (const row of rows) {
      const i = Number(row[0]);
      const threadId = keys[i]?.threadId ?? "";
      const at = {
        namespace: encodeName(keys[i]?.namespace ?? ""),
        checkpointId: encodeName(keys[i]?.checkpointId ?? ""),
      };
      const write = writeOf(row, 1, threadId, at, cipher);
      const placed = {
        value: write.value,
        where: () => `Thread ${JSON.stringify(threadId)}, pending write of ${write.taskId}`,
      };
      const generation = knowledge.get(threadId)?.generation ?? "";
      const source = await loader.load(threadId, generation, [placed]);
      if (source === undefined) return undefined;
      found[i]?.push({ ...write, value: await loader.decode(placed, source) });
    }
    return found;
  };

  return {
    async read(threadId, namespace, id) {
      const key = [threadId, encodeName(namespace)] as const;
      const loading = load(async () => {
        const rows = await (id === undefined
          ? latest(...key)
          : executor.execute(statements.byId, [...key, encodeName(id)]));
        if (rows.length === 0) knowledge.forget(threadId);
        return rows;
      });
      const guess = id === undefined ? ahead?.begin(threadId, namespace) : undefined;
      try {
        const [found] = await loading;
        guess?.check(found?.rows.values ?? []);
        return found && (await revive(found, guess));
      } finally {
        guess?.end();
      }
    },

    async find(run) {
      const found = await load(run);
      return Promise.all(found.map((one) => revive(one)));
    },

    async *list(query) {
      checkFilter(query.filter, cipher?.plainMetadata);
      let left = query.limit ?? Number.POSITIVE_INFINITY;
      let last: CheckpointRows | undefined;
      while (left > 0) {
        const size = Math.min(left, PAGE);
        const { shape, parameters } = pageOf(query, size, last);
        const page = await load(() => executor.execute(statements.page(shape), parameters));
        for (const loaded of page) yield await revive(loaded);
        if (page.length < size) return;
        left -= page.length;
        last = page.at(-1)?.rows;
      }
    },

    async writesOn(keys, channel) {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
        const found = await writesAtOnce(keys, channel);
        if (found !== undefined) return found;
        for (const threadId of new Set(keys.map((key) => key.threadId))) {
          const [thread] = await executor.execute(statements.thread, [threadId]);
          if (thread) knowledge.learn(threadId, thread[0] ?? "", thread[1] ?? "");
        }
      }
      throw changedTooOften(undefined, "read");
    },
  };
}

function placedOf(rows: CheckpointRows): Placed[] {
  return [
    ...rows.values.map(({ channel, value }) => ({ value, where: whereIn(rows, channel) })),
    ...rows.writes.map(({ channel, value }) => ({ value, where: whereIn(rows, channel) })),
  ];
}

function whereIn({ threadId, checkpointId }: CheckpointRows, channel: string): () => string {
  return () =>
    `Thread ${JSON.stringify(threadId)}, checkpoint ${checkpointId}, channel ${JSON.stringify(channel)}`;
}
