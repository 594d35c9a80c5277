/** Which of the operations that wait leave together. */
import type { Part } from "./failed-batch.ts";
import type { WriteKind, WriteOperation } from "./write-operation.ts";

/** What is in flight. */
export interface Busy {
  /** The threads that are being put to. */
  readonly threads: ReadonlySet<string>;
  /** The checkpoints and tasks that are being written: of two writes of one row, the server could do either first. */
  readonly rows: ReadonlySet<string>;
}

export interface Waiting {
  readonly operation: WriteOperation;
  /** What it writes, as {@link rowKeys} names it. */
  readonly keys: readonly string[];
  /** Of how many bytes it is, at least. */
  readonly weight: number;
  /** What it was put into when its batch failed. It leaves only with those that have the same. */
  readonly part?: Part;
}

/** What goes to threads that were waited for in vain. It leaves apart from what goes to others. */
export interface Slow {
  has(one: Waiting): boolean;
  /** Whether a batch of it may leave now. */
  mayLeave(): boolean;
}

/** A batch ends here, so that one statement never holds a connection, or the rows of threads, for long. */
const MAX_THREADS = 64;
const MAX_ROWS = 4096;
const MAX_BYTES = 1024 * 1024;

/**
 * Takes the oldest operation that need not wait for what is in flight, and all that can go with it: of
 * its kind, as slow or not, agreeing on their thread, and not writing a row that is in the batch already.
 * None if all have to wait.
 */
export function takeBatch<W extends Waiting>(waiting: W[], busy: Busy, slow: Slow): W[] {
  const batch: W[] = [];
  const threads = new Map<string, WriteOperation>();
  const blocked = new Set<string>(busy.threads);
  const rows = new Set<string>();
  const toPut = new Set<string>();
  for (const { operation } of waiting) {
    if (operation.kind === "putKnown") toPut.add(operation.threadId);
  }
  // Pending writes go with a put only where the thread's row is locked for one anyway.
  const kindOf = ({ kind, threadId }: WriteOperation): WriteKind =>
    kind === "writesKnown" && toPut.has(threadId) ? "putKnown" : kind;
  let kind: WriteKind | undefined;
  let isSlow: boolean | undefined;
  let count = 0;
  let bytes = 0;
  for (let i = 0; i < waiting.length && threads.size < MAX_THREADS && count < MAX_ROWS; ) {
    const one = waiting[i] as W;
    const { operation, keys, weight } = one;
    const same = threads.get(operation.threadId);
    const fits =
      (kind === undefined || kindOf(operation) === kind) &&
      (batch.length === 0 || one.part === batch[0]?.part) &&
      (batch.length === 0 || bytes + weight <= MAX_BYTES) &&
      // An operation never overtakes an earlier one of its own thread.
      !blocked.has(operation.threadId) &&
      (same === undefined || agree(same, operation)) &&
      (isSlow === undefined ? !slow.has(one) || slow.mayLeave() : slow.has(one) === isSlow) &&
      keys.every((key) => !rows.has(key) && !busy.rows.has(key));
    if (!fits) {
      blocked.add(operation.threadId);
      i += 1;
      continue;
    }
    kind ??= kindOf(operation);
    isSlow ??= slow.has(one);
    threads.set(operation.threadId, operation);
    for (const key of keys) rows.add(key);
    count += rowsOf(operation);
    bytes += weight;
    batch.push(one);
    waiting.splice(i, 1);
  }
  return batch;
}

/**
 * Whether one statement can say of their thread what both say of it. A record that brings a version says where the others
 * begin to count, and those that bring none go by it.
 */
export function agree(a: WriteOperation, b: WriteOperation): boolean {
  return (
    a.generation === b.generation && a.lease === b.lease && (a.floor == null) === (b.floor == null)
  );
}

/**
 * What a second operation in the same statement could not write again: a checkpoint, or what one task wrote. No name
 * holds a NUL.
 */
export function rowKeys(operation: WriteOperation): string[] {
  const { threadId, checkpoint, writes } = operation;
  if (checkpoint) return [`${threadId}\0${checkpoint.checkpoint_ns}\0${checkpoint.checkpoint_id}`];
  const keys: string[] = [];
  let last: string | undefined;
  for (const { checkpoint_ns, checkpoint_id, task_id } of writes) {
    const key = `${threadId}\0${checkpoint_ns}\0${checkpoint_id}\0${task_id}`;
    // The writes of a task lie side by side.
    if (key !== last) keys.push(key);
    last = key;
  }
  return keys;
}

function rowsOf({ chunks, values, writes }: WriteOperation): number {
  return 1 + chunks.length + values.length + writes.length;
}
