/** The plots of the workloads that run turn by turn: what a turn takes, and what it stores. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PeerName } from "../peers/peer.ts";
import type { PeerSeries, Result } from "../results.ts";
import { median } from "../statistics.ts";
import { formatted, formattedBytes } from "../table.ts";
import { type Curve, lineChart } from "./svg.ts";

const TONES: Readonly<Record<PeerName, string>> = {
  ours: "ours",
  official: "official",
  memory: "memory",
  references: "floor",
  driver: "floor",
  "driver-each": "floor",
};

/** A curve of time is smoothed to about so many points, each the median of the turns around it. */
const POINTS = 100;

export async function writePlots(results: readonly Result[], folder: string): Promise<string[]> {
  const files: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const result of results) {
    if (result.series.length === 0) continue;
    for (const [kind, svg] of Object.entries({ latency: latency(result), bytes: bytes(result) })) {
      const file = join(folder, `bench-${result.workload}-${kind}.svg`);
      await writeFile(file, svg);
      files.push(file);
    }
  }
  return files;
}

function latency({ workload, description, series }: Result): string {
  return lineChart({
    title: `Time of a turn (${workload})`,
    subtitle: description,
    xTitle: "turn",
    formatY: (value) => rounded(formatted(value, "ms")),
    curves: curves(series, ({ ms }) => smoothed(ms)),
  });
}

function bytes({ workload, description, series }: Result): string {
  return lineChart({
    title: `Bytes that a turn stores (${workload})`,
    subtitle: description,
    xTitle: "turn",
    formatY: (value) => rounded(formattedBytes(value)),
    curves: curves(series, ({ stored }) => growth(stored)),
  });
}

function curves(
  series: readonly PeerSeries[],
  points: (one: PeerSeries) => Curve["points"],
): readonly Curve[] {
  return series
    .map((one) => ({ label: one.label, tone: TONES[one.peer], points: points(one) }))
    .filter((curve) => curve.points.length > 0);
}

/** Files grow in steps: what a step adds is shared by all turns since the step before it. */
function growth(stored: PeerSeries["stored"]): Curve["points"] {
  const points: [number, number][] = [];
  let [last] = stored;
  for (const sample of stored) {
    if (!last || sample.bytes <= last.bytes) continue;
    points.push([sample.turn, (sample.bytes - last.bytes) / (sample.turn - last.turn)]);
    last = sample;
  }
  return points;
}

/** Powers of ten need no decimals. */
function rounded(text: string): string {
  return text.replace(/\.0+ /, " ");
}

function smoothed(ms: readonly number[]): Curve["points"] {
  const width = Math.max(1, Math.round(ms.length / POINTS));
  const points: [number, number][] = [];
  for (let start = 0; start < ms.length; start += width) {
    const around = ms.slice(start, start + width);
    points.push([start + (around.length + 1) / 2, median(around)]);
  }
  return points;
}
