/** Latencies in a fixed number of buckets: quantiles to 3 %, in memory that does not grow. */

export interface Quantiles {
  /** Milliseconds that half of all were done in. */
  readonly p50: number;
  /** Milliseconds that 95 % were done in. */
  readonly p95: number;
  /** Milliseconds that 99 % were done in. */
  readonly p99: number;
}

export interface Histogram {
  readonly count: number;
  /** Takes a value, in milliseconds. */
  record(ms: number): void;
  /** In milliseconds, each to 3 %; 0 where nothing was recorded. */
  quantiles(): Quantiles;
}

/** Buckets an octave: the width of one is a 16th of its lower end, its middle at most 3 % off. */
const STEPS = 16;
/** From a microsecond … */
const LEAST = 0.001;
/** … to 2^32 of them, more than an hour. */
const OCTAVES = 32;

export function createHistogram(): Histogram {
  const buckets = new Float64Array(OCTAVES * STEPS);
  let count = 0;
  const quantile = (part: number): number => {
    let left = Math.ceil(count * part);
    for (let i = 0; i < buckets.length; i += 1) {
      left -= buckets[i] ?? 0;
      if (left <= 0) return count === 0 ? 0 : middleOf(i);
    }
    return middleOf(buckets.length - 1);
  };
  return {
    get count() {
      return count;
    },
    record(ms) {
      const i = bucketOf(ms);
      buckets[i] = (buckets[i] ?? 0) + 1;
      count += 1;
    },
    quantiles: () => ({ p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }),
  };
}

function bucketOf(ms: number): number {
  const units = Math.max(1, ms / LEAST);
  const octave = Math.min(OCTAVES - 1, Math.floor(Math.log2(units)));
  const step = Math.floor((units / 2 ** octave - 1) * STEPS);
  return octave * STEPS + Math.min(STEPS - 1, step);
}

function middleOf(i: number): number {
  const octave = Math.floor(i / STEPS);
  const step = (i % STEPS) + 0.5;
  return LEAST * 2 ** octave * (1 + step / STEPS);
}
