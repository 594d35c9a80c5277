/** A bar for what takes long: with rate and time left, on a terminal only. */
import { SingleBar } from "cli-progress";
import type { Output } from "./output.ts";

interface ProgressBar {
  /** `total` undefined: it is not known how much there is. */
  at(done: number, total: number | undefined): void;
  end(): void;
}

const SILENT: ProgressBar = { at() {}, end() {} };

function progressBar(out: Output, noun: string): ProgressBar {
  if (!process.stderr.isTTY || out.json) return SILENT;
  const began = performance.now();
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${noun} · {rate}/s · {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    // What SIGINT does is said elsewhere; the bar must not end the process.
    gracefulExit: false,
    clearOnComplete: true,
  });
  bar.start(1, 0, { rate: "0" });
  return {
    at(done, total) {
      bar.setTotal(total ?? done);
      const rate = (done / Math.max(1, performance.now() - began)) * 1000;
      bar.update(done, { rate: rate.toFixed(rate < 10 ? 1 : 0) });
    },
    end: () => bar.stop(),
  };
}

/** Runs `work` with a bar that ends with it. */
export async function withBar<T>(
  out: Output,
  noun: string,
  work: (bar: ProgressBar) => Promise<T>,
): Promise<T> {
  const bar = progressBar(out, noun);
  try {
    return await work(bar);
  } finally {
    bar.end();
  }
}
