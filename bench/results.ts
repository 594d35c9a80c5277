/** From measurements to medians, ratios and verdicts. */
import { labelOf } from "./peers/all.ts";
import { PEER_NAMES, type PeerName } from "./peers/peer.ts";
import type { Runs } from "./run.ts";
import { median, type Summary, summarize } from "./statistics.ts";
import type { Metric, Scale, TurnSeries } from "./workloads/workload.ts";

export interface Result {
  readonly workload: string;
  readonly description: string;
  readonly rounds: number;
  /** Statements that ours sent in one run, where they were recorded. */
  readonly statements: number | undefined;
  readonly rows: readonly ResultRow[];
  readonly series: readonly PeerSeries[];
}

/** One metric of one saver. */
export interface ResultRow {
  readonly metric: Metric;
  readonly peer: PeerName;
  readonly label: string;
  readonly summary: Summary;
  /** How many times better ours is; undefined for ours. */
  readonly ratio: number | undefined;
  readonly target: string | undefined;
  readonly met: boolean | undefined;
}

export interface PeerSeries extends TurnSeries {
  readonly peer: PeerName;
  readonly label: string;
}

export function toResult({ workload, scale, rounds, measured, statements }: Runs): Result {
  const rows: ResultRow[] = [];
  for (const metric of workload.metrics) {
    const ours = summaryOf(measured.get("ours"), metric);
    for (const peer of PEER_NAMES) {
      const summary = summaryOf(measured.get(peer), metric);
      if (!summary) continue;
      rows.push({
        metric,
        peer,
        label: labelOf(peer),
        summary,
        ...compare(metric, peer, summary, ours, scale),
      });
    }
  }
  return {
    workload: workload.name,
    description: workload.describe(scale),
    rounds,
    statements,
    rows,
    series: PEER_NAMES.flatMap((peer) => medianSeries(peer, measured.get(peer) ?? [])),
  };
}

type Verdict = Pick<ResultRow, "ratio" | "target" | "met">;

function compare(
  metric: Metric,
  peer: PeerName,
  { median: value }: Summary,
  ours: Summary | undefined,
  scale: Scale,
): Verdict {
  // Targets are for the full sizes; at small ones everybody pays the same fixed costs.
  const judged = (met: boolean): boolean | undefined => (scale === "full" ? met : undefined);
  if (peer === "ours") {
    const { atMost } = metric;
    return atMost === undefined
      ? { ratio: undefined, target: undefined, met: undefined }
      : { ratio: undefined, target: `≤ ${atMost}`, met: judged(value <= atMost) };
  }
  if (!ours || metric.unit === "ratio")
    return { ratio: undefined, target: undefined, met: undefined };
  const ratio = metric.better === "less" ? value / ours.median : ours.median / value;
  const target = metric.targets?.[peer];
  return target === undefined
    ? { ratio, target: undefined, met: undefined }
    : { ratio, target: `≥ ${target} ×`, met: judged(ratio >= target) };
}

function summaryOf(
  runs: readonly { metrics: Readonly<Record<string, number>> }[] | undefined,
  { key }: Metric,
): Summary | undefined {
  const values = runs?.flatMap(({ metrics }) => metrics[key] ?? []) ?? [];
  return values.length > 0 ? summarize(values) : undefined;
}

/** Turn by turn the median over the rounds. Stored bytes hardly differ between rounds: the last one's. */
function medianSeries(peer: PeerName, runs: readonly { turns?: TurnSeries }[]): PeerSeries[] {
  const series = runs.flatMap(({ turns }) => turns ?? []);
  const last = series.at(-1);
  if (!last) return [];
  const ms = last.ms.map((_, turn) => median(series.flatMap((one) => one.ms[turn] ?? [])));
  return [{ peer, label: labelOf(peer), ms, stored: last.stored }];
}
