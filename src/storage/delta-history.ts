/** What a DeltaChannel's value is rebuilt from: two statements, however long the thread. */
import type { Cipher, Place } from "../encryption/cipher.ts";
import { textArray } from "../postgres/arrays.ts";
import type { Executor, Row } from "../postgres/database.ts";
import { changedTooOften, MAX_ATTEMPTS } from "./attempts.ts";
import type { ChunkLoader } from "./chunk-loader.ts";
import { decodeName, encodeName } from "./names.ts";
import { valuePlace, writePlace } from "./places.ts";
import type { ReadStatements } from "./read-statements.ts";
import type { CheckpointKey, StoredWrite } from "./reader.ts";
import { storedValue } from "./rows.ts";
import type { KnowledgeStore } from "./thread-knowledge.ts";

export interface ChannelHistory {
  /** The value at the nearest ancestor that stored one; undefined if none did. */
  seed: { readonly value: unknown } | undefined;
  /** `depth` counts ancestors: the parent's writes have 1, the grandparent's 2. In no order. */
  readonly writes: (StoredWrite & { readonly depth: number })[];
}

/** `checkpointId` undefined means the latest of the namespace. */
export type DeltaKey = Omit<CheckpointKey, "checkpointId"> & {
  readonly checkpointId: string | undefined;
};

export type DeltaHistory = (
  key: DeltaKey,
  channels: readonly string[],
) => Promise<Map<string, ChannelHistory>>;

export function createDeltaHistory(parts: {
  executor: Executor;
  statements: ReadStatements;
  knowledge: KnowledgeStore;
  loader: ChunkLoader;
  cipher: Cipher | undefined;
}): DeltaHistory {
  const { executor, statements, knowledge, loader, cipher } = parts;
  return async ({ threadId, namespace, checkpointId }, channels) => {
    const parameters = [
      threadId,
      encodeName(namespace),
      checkpointId === undefined ? null : encodeName(checkpointId),
      textArray(channels.map(encodeName)),
    ];
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const rows = await executor.execute(statements.deltaHistory, parameters);
      const [thread] = rows.filter((row) => row[0] === "thread");
      if (thread === undefined) return new Map();
      const generation = thread[3] ?? "";
      knowledge.learn(threadId, generation, thread[4] ?? "");
      const found = rows
        .filter((row) => row !== thread)
        .map((row) => historyRow(threadId, encodeName(namespace), row, cipher));
      const source = await loader.load(threadId, generation, found);
      if (source === undefined) continue;
      const histories = new Map<string, ChannelHistory>();
      for (const { kind, depth, write, ...placed } of found) {
        const value = await loader.decode(placed, source);
        const history = histories.get(write.channel) ?? { seed: undefined, writes: [] };
        histories.set(write.channel, history);
        if (kind === "seed") history.seed = { value };
        else history.writes.push({ ...write, depth, value });
      }
      return histories;
    }
    throw changedTooOften(threadId, "read");
  };
}

function historyRow(threadId: string, namespace: string, row: Row, cipher: Cipher | undefined) {
  const [kind, depth, name, task, path, idx] = row;
  const channel = decodeName(name ?? "");
  // Behind the value stands what it is sealed to: a seed's version, a write's checkpoint.
  const place = (): Place =>
    kind === "seed"
      ? valuePlace(namespace, name ?? "", row[10] ?? "")
      : writePlace({
          namespace,
          checkpointId: row[10] ?? "",
          taskId: task ?? "",
          idx: idx ?? "",
          taskPath: path ?? "",
          channel: name ?? "",
        });
  return {
    kind,
    depth: Number(depth),
    write: {
      channel,
      taskId: decodeName(task ?? ""),
      taskPath: decodeName(path ?? ""),
      idx: Number(idx),
    },
    value: storedValue(row, 6, threadId, place, cipher),
    where: () =>
      `Thread ${JSON.stringify(threadId)}, history of channel ${JSON.stringify(channel)}`,
  };
}
