/**
 * A list that is being put together. Runs of primitives are kept as they came until all are there: a list that grows
 * element by element is copied again and again, and a million numbers leave three times their size behind.
 */
export class LongList {
  readonly #runs: (readonly unknown[])[] = [];
  #last: unknown[] = [];

  push(element: unknown): void {
    this.#last.push(element);
  }

  /** The run is not copied before {@link end}, and never changed. */
  pushRun(run: readonly unknown[]): void {
    if (this.#last.length > 0) this.#runs.push(this.#last);
    this.#last = [];
    this.#runs.push(run);
  }

  end(): unknown[] {
    if (this.#runs.length === 0) return this.#last;
    const runs = [...this.#runs, this.#last];
    const list: unknown[] = new Array(runs.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const run of runs) {
      for (let index = 0; index < run.length; index += 1) {
        list[at] = run[index];
        at += 1;
      }
    }
    return list;
  }
}
