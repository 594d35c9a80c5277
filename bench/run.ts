/** Runs a workload with all its savers in turn, round by round, so that a slow minute of the machine hits all of them. */
import type { PeerName } from "./peers/peer.ts";
import type { SaverProcess } from "./saver-processes.ts";
import type { Measured, Scale, Workload } from "./workloads/workload.ts";

export interface RunOptions {
  readonly scale: Scale;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

export interface Runs {
  readonly workload: Workload;
  readonly scale: Scale;
  readonly rounds: number;
  /** One per round. */
  readonly measured: ReadonlyMap<PeerName, readonly Measured[]>;
  /** What the replay asked, where there was one. */
  readonly statements: number | undefined;
}

export async function runWorkload(
  workload: Workload,
  savers: readonly SaverProcess[],
  { scale, rounds, progress }: RunOptions,
): Promise<Runs> {
  const taking = savers.filter(({ name }) => name === "ours" || workload.peers.includes(name));
  const measured = new Map<PeerName, Measured[]>();
  let statements: number | undefined;
  for (const saver of taking) await saver.begin(workload.name, scale);
  if (workload.warmsUp(scale)) {
    progress(`${workload.name}: warming up`);
    for (const saver of taking) await saver.run();
  }
  for (let round = 1; round <= rounds; round += 1) {
    // Nobody always goes first, or always after the same other.
    for (const { name, run } of rotated(taking, round)) {
      const result = await run();
      measured.set(name, [...(measured.get(name) ?? []), result.measured]);
      if (name === "driver") statements ??= result.statements;
      const [first] = workload.metrics;
      const ms = result.measured.metrics[first?.key ?? ""]?.toFixed(1);
      progress(`${workload.name}: round ${round}/${rounds}, ${name}: ${ms} ms`);
    }
  }
  for (const saver of taking) await saver.finish();
  return { workload, scale, rounds, measured, statements };
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
