/** Runs a conversation turn by turn and measures each turn. */
import { performance } from "node:perf_hooks";
import type { OpenSaver } from "../peers/peer.ts";
import { mean, sum } from "../statistics.ts";
import type { Measured, Metric } from "./workload.ts";

/** The thread that every workload writes. */
export const THREAD = "thread";

/** About so many points are on a curve of bytes. */
const SAMPLES = 40;

/** `turn(n)` runs the n-th turn, counted from 0, until everything of it is stored. */
export async function measureTurns(
  open: OpenSaver,
  turns: number,
  turn: (n: number) => Promise<unknown>,
): Promise<Measured> {
  const ms: number[] = [];
  const stored: { turn: number; bytes: number }[] = [];
  const sampleEvery = Math.max(1, Math.floor(turns / SAMPLES));
  const sample = async (turn: number): Promise<void> => {
    const bytes = await open.bytes();
    if (bytes !== undefined) stored.push({ turn, bytes });
  };
  await sample(0);
  for (let n = 0; n < turns; n += 1) {
    const start = performance.now();
    await turn(n);
    ms.push(performance.now() - start);
    if ((n + 1) % sampleEvery === 0 || n + 1 === turns) await sample(n + 1);
  }
  const early = mean(ms.slice(10, 20));
  const last = mean(ms.slice(-10));
  const bytes = stored.at(-1)?.bytes;
  return {
    metrics: {
      total: sum(ms),
      early,
      last,
      growth: last / early,
      ...(bytes === undefined ? {} : { bytes }),
    },
    turns: { ms, stored },
  };
}

interface Targets {
  readonly total: Metric["targets"];
  readonly last?: Metric["targets"];
  readonly bytes: Metric["targets"];
  readonly growth?: number;
}

/** The metrics of {@link measureTurns}. */
export function turnMetrics({ total, last = {}, bytes, growth }: Targets): readonly Metric[] {
  return [
    { key: "total", title: "all turns", unit: "ms", better: "less", targets: total ?? {} },
    { key: "early", title: "a turn, 11 to 20", unit: "ms", better: "less" },
    { key: "last", title: "a turn, last 10", unit: "ms", better: "less", targets: last },
    {
      key: "growth",
      title: "last 10 ÷ 11 to 20",
      unit: "ratio",
      better: "less",
      ...(growth === undefined ? {} : { atMost: growth }),
    },
    { key: "bytes", title: "stored bytes", unit: "bytes", better: "less", targets: bytes ?? {} },
  ];
}
