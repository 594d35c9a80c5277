/** A storage whose every operation is counted, under the names that callers of the faces know. */
import type { Storage } from "../storage/storage.ts";
import type { Operations } from "./operations.ts";

/** The checkpointer's operations; the record face counts its own. */
export function observedStorage(
  storage: Storage,
  { run, iterate }: Operations,
  onPut: ((threadId: string) => void) | undefined,
): Storage {
  return {
    ...storage,
    read: (threadId, ...rest) => run("getTuple", threadId, () => storage.read(threadId, ...rest)),
    list: (query) => iterate("listTuples", query.threadId, () => storage.list(query)),
    writesOn: (...args) => run("readPendingWrites", undefined, () => storage.writesOn(...args)),
    put: (checkpoint, options) =>
      run("put", checkpoint.threadId, async () => {
        await storage.put(checkpoint, options);
        onPut?.(checkpoint.threadId);
      }),
    putWrites: (writes, options) =>
      run("putWrites", writes.threadId, () => storage.putWrites(writes, options)),
    remove: (threadId) => run("deleteThread", threadId, () => storage.remove(threadId)),
    deltaHistory: (key, channels) =>
      run("getDeltaChannelHistory", key.threadId, () => storage.deltaHistory(key, channels)),
  };
}
