/** A moment after which an operation gives up. */
export interface Deadline {
  /** Milliseconds that the operation was given in all. */
  readonly total: number;
  /** Milliseconds left; zero or less when the moment has passed. */
  left(): number;
}

/** The moment `ms` from now; `Infinity` for never. */
export function deadlineIn(ms: number): Deadline {
  const end = performance.now() + ms;
  return { total: ms, left: () => end - performance.now() };
}

/** The promise's result, or the error of `late` when the deadline passes first. */
export function before<T>(deadline: Deadline, promise: Promise<T>, late: () => Error): Promise<T> {
  const left = deadline.left();
  if (left === Number.POSITIVE_INFINITY) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), Math.max(0, left));
    promise.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** For messages: `15 s`. */
export function inSeconds(ms: number): string {
  return `${Math.round(ms) / 1000} s`;
}
