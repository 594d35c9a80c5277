/** Runs a workload with all its savers in turn, round by round, so that a slow minute of the machine hits all of them. */
import { createContext, type Harness, type OwnedContext } from "./context.ts";
import { peers } from "./peers/all.ts";
import { openPool, type Peer, type PeerName } from "./peers/peer.ts";
import {
  emptyTables,
  type Recording,
  recordingPool,
  replay,
  statementCount,
} from "./peers/recording.ts";
import type { Measured, Scale, Workload } from "./workloads/workload.ts";

export interface RunOptions {
  readonly scale: Scale;
  readonly rounds: number;
  readonly peers: readonly PeerName[];
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

/** Someone who can be measured again and again. */
interface Runner {
  readonly name: PeerName;
  run(): Promise<Measured>;
  end(): Promise<void>;
}

export async function runWorkload(
  workload: Workload,
  harness: Harness,
  options: RunOptions,
): Promise<Runs> {
  const { scale, rounds, progress } = options;
  const takesPart = (name: PeerName): boolean =>
    options.peers.includes(name) && (name === "ours" || workload.peers.includes(name));
  const taking = peers.filter(({ name }) => takesPart(name));
  const recording: Recording = [];
  const runners = taking.map((peer) => saverRunner(workload, harness, peer, scale));
  const measured = new Map<PeerName, Measured[]>();
  try {
    if (workload.warmsUp) {
      progress(`${workload.name}: warming up`);
      for (const peer of taking) await once(workload, createContext(harness, peer), "warmUp");
    }
    const measure = async (runner: Runner, round: number): Promise<void> => {
      const result = await runner.run();
      measured.set(runner.name, [...(measured.get(runner.name) ?? []), result]);
      const [first] = workload.metrics;
      const ms = result.metrics[first?.key ?? ""]?.toFixed(1);
      progress(`${workload.name}: round ${round}/${rounds}, ${runner.name}: ${ms} ms`);
    };
    for (let round = 1; round <= rounds; round += 1) {
      // Nobody always goes first, or always after the same other.
      for (const runner of rotated(runners, round)) await measure(runner, round);
      if (round > 1 || !takesPart("driver") || !takesPart("ours")) continue;
      // Not before ours was measured: recording is one more run of ours, which would warm it up alone.
      progress(`${workload.name}: recording`);
      const driver = await driverRunner(workload, harness, scale, recording);
      runners.push(driver);
      await measure(driver, round);
    }
  } finally {
    for (const runner of runners) await runner.end();
  }
  const statements = recording.length > 0 ? statementCount(recording) : undefined;
  return { workload, scale, rounds, measured, statements };
}

async function once(workload: Workload, context: OwnedContext, scale: Scale): Promise<Measured> {
  try {
    return await workload.run(scale, context);
  } finally {
    await context.end();
  }
}

function saverRunner(workload: Workload, harness: Harness, peer: Peer, scale: Scale): Runner {
  const context = createContext(harness, peer);
  return {
    name: peer.name,
    async run() {
      try {
        return await workload.run(scale, context);
      } finally {
        await context.endRun();
      }
    },
    end: () => context.end(),
  };
}

/** Records one run of ours, and replays it on the same tables, emptied. */
async function driverRunner(
  workload: Workload,
  harness: Harness,
  scale: Scale,
  recording: Recording,
): Promise<Runner> {
  const ours = peers.find(({ name }) => name === "ours");
  if (!ours) throw new Error("There is nothing to record.");
  const { databases } = harness;
  let url = "";
  const context = createContext(
    harness,
    {
      ...ours,
      async open(at, wrap) {
        url = at;
        const open = await ours.open(at, wrap);
        recording.length = 0; // what setting up asked
        return open;
      },
    },
    (pool) => recordingPool(pool, recording),
  );
  await workload.run(scale, context);
  const [metric] = workload.metrics;
  return {
    name: "driver",
    async run() {
      const pool = await openPool(url);
      try {
        await emptyTables(pool);
        await databases.settle();
        globalThis.gc?.();
        return { metrics: { [metric?.key ?? ""]: await replay(pool, recording) } };
      } finally {
        await pool.end();
      }
    },
    end: () => context.end(),
  };
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
