/** Putting a checkpoint only where its parent is still the latest: two writers of one thread find out. */
import { ThreadConflictError } from "../errors.ts";
import type { Database } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { statement } from "../postgres/statement.ts";
import { decodeName, encodeName } from "./names.ts";
import type { WriteOptions } from "./sender.ts";
import type { PutCheckpoint } from "./writer.ts";

/** Runs `put` in a transaction that holds the thread, after the parent was found to be its head. */
export type OnHead = (
  checkpoint: PutCheckpoint,
  options: WriteOptions,
  put: (where: WriteOptions) => Promise<void>,
) => Promise<void>;

export function createOnHead(database: Database, names: TableNames): OnHead {
  const hold = statement(
    "hold_thread",
    `SELECT 'held' FROM ${names.threads} WHERE thread_id = $1 FOR NO KEY UPDATE`,
  );
  const head = statement(
    "head",
    `SELECT checkpoint_id FROM ${names.checkpoints} WHERE thread_id = $1 AND checkpoint_ns = $2
ORDER BY seq DESC LIMIT 1`,
  );
  return async ({ threadId, namespace, checkpointId, parentId }, options, put) => {
    let learn = (): void => {};
    await database.transaction(async (tx) => {
      await tx.execute(hold, [threadId]);
      // A statement of its own: its snapshot must show what was committed while the lock was waited for.
      const [row] = await tx.execute(head, [threadId, encodeName(namespace)]);
      const latest = row === undefined ? null : decodeName(row[0] ?? "");
      // The checkpoint itself is the latest where a put is repeated after its answer was lost.
      if (latest !== parentId && latest !== checkpointId) {
        throw new ThreadConflictError(
          `Thread ${JSON.stringify(threadId)} has moved on: its latest checkpoint is ${latest ?? "gone"}, not ${parentId ?? "none"}, from which this run started. Nothing was written. Read the state again, or fork on purpose by passing checkpoint_id.`,
        );
      }
      const afterCommit = (note: () => void): void => {
        learn = note;
      };
      await put({ ...options, executor: tx, afterCommit });
    });
    learn();
  };
}
