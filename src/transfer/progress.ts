/** How a transfer of many threads goes on, and how it ends. */

/** What every transfer of many threads can be told. */
export interface TransferOptions {
  /** Ends the work between two threads; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each thread. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** How far a transfer is; given after each thread. */
export interface TransferProgress {
  /** The thread that was done last. */
  readonly threadId: string;
  /** How many threads are done, those that needed nothing included. */
  readonly done: number;
  /** How many there are, as counted at the beginning; undefined where that is not known. */
  readonly total: number | undefined;
  /** Checkpoints that were copied so far. */
  readonly checkpoints: number;
}

/** Does `work` for each item, `parallel` at a time. The first error ends it, once what is under way has ended. */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  parallel: number,
  signal: AbortSignal | undefined,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed = false;
  // One at a time may ask an async generator for its next item.
  let asked: Promise<unknown> = Promise.resolve();
  const next = (): Promise<IteratorResult<T>> => {
    const answer = asked.then(() => iterator.next());
    asked = answer.catch(() => {});
    return answer;
  };
  const worker = async (): Promise<void> => {
    try {
      while (!failed) {
        signal?.throwIfAborted();
        const { done, value } = await next();
        if (done) return;
        await work(value);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: parallel }, worker));
  const rejected = settled.find((one) => one.status === "rejected");
  if (rejected) throw rejected.reason;
}
