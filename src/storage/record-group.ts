/** Records of a batch that can go as one statement: of one kind, and none writes a row of another's. */
import { weightOf } from "./message-limit.ts";
import { agree, rowKeys } from "./write-batch.ts";
import type { WriteOperation } from "./write-operation.ts";

interface Grouped<T> {
  readonly operation: WriteOperation;
  readonly what: T;
}

interface RecordGroup<T> {
  fits(operation: WriteOperation): boolean;
  /** `what` is returned with it. */
  add(operation: WriteOperation, what: T): void;
  /** All that was added, in order; the group is empty then. */
  take(): Grouped<T>[];
}

/** What one statement takes at most, in records and in bytes. */
const MAX_OPERATIONS = 256;
const MAX_LENGTH = 4 * 1024 * 1024;

export function createRecordGroup<T>(): RecordGroup<T> {
  let members: Grouped<T>[] = [];
  let keys = new Set<string>();
  let threads = new Map<string, WriteOperation>();
  let length = 0;
  return {
    fits(operation) {
      const [first] = members;
      const same = threads.get(operation.threadId);
      return (
        first === undefined ||
        (first.operation.kind === operation.kind &&
          members.length < MAX_OPERATIONS &&
          (same === undefined || agree(same, operation)) &&
          length + weightOf(operation) <= MAX_LENGTH &&
          !rowKeys(operation).some((key) => keys.has(key)))
      );
    },
    add(operation, what) {
      members.push({ operation, what });
      threads.set(operation.threadId, operation);
      for (const key of rowKeys(operation)) keys.add(key);
      length += weightOf(operation);
    },
    take() {
      const taken = members;
      members = [];
      keys = new Set();
      threads = new Map();
      length = 0;
      return taken;
    },
  };
}
