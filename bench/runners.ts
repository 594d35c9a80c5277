/** Whoever can be measured in a workload again and again, in this process. */
import { performance } from "node:perf_hooks";
import type pg from "pg";
import { createContext, type Harness } from "./context.ts";
import { peers } from "./peers/all.ts";
import { openPool, type Peer, type PeerName } from "./peers/peer.ts";
import {
  emptyTables,
  onAnyConnection,
  type Recording,
  recordingPool,
  replay,
} from "./peers/recording.ts";
import type { Measured, Scale, Workload } from "./workloads/workload.ts";

export interface Runner {
  run(): Promise<Run>;
  end(): Promise<void>;
}

export interface Run {
  readonly measured: Measured;
  /** Of a replay: how many it asked. */
  readonly statements?: number;
}

export function createRunner(
  name: PeerName,
  workload: Workload,
  harness: Harness,
  scale: Scale,
): Runner {
  return name === "driver" || name === "driver-each"
    ? driverRunner(workload, harness, scale, name === "driver-each")
    : saverRunner(workload, harness, peerOf(name), scale);
}

function peerOf(name: PeerName): Peer {
  const peer = peers.find((one) => one.name === name);
  if (!peer) throw new Error(`There is no saver ${name}.`);
  return peer;
}

/**
 * Milliseconds of processor time that a process works before the clock starts: it stood idle while the others had their
 * turns. By the clock, most of a small run is waiting for its database to be made.
 */
const WARM_UP = 3000;

async function warmUp(
  workload: Workload,
  scale: Scale,
  work: () => Promise<unknown>,
): Promise<void> {
  if (!workload.warmsUp(scale)) return;
  const start = process.cpuUsage();
  const worked = (): number => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  while (worked() < WARM_UP) await work();
}

function saverRunner(workload: Workload, harness: Harness, peer: Peer, scale: Scale): Runner {
  const context = createContext(harness, peer);
  const measure = async (one: Scale): Promise<Run> => {
    try {
      return { measured: await workload.run(one, context) };
    } finally {
      await context.endRun();
    }
  };
  return {
    async run() {
      await warmUp(workload, scale, () => measure("quick"));
      return measure(scale);
    },
    end: () => context.end(),
  };
}

/**
 * Records one run of ours, and replays it on the same tables, emptied: its statements as they were, or where threads
 * were recorded one after the other, so that no two calls were joined, those of all threads at once.
 */
function driverRunner(workload: Workload, harness: Harness, scale: Scale, isEach: boolean): Runner {
  const recording: Recording = [];
  const ofThreads: Recording[] = [];
  const ours = peerOf("ours");
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
    isEach ? recordEach : undefined,
  );
  async function recordEach(works: readonly (() => Promise<unknown>)[]): Promise<void> {
    for (const work of works) {
      await work();
      ofThreads.push(onAnyConnection(recording.splice(0)));
    }
  }
  const record = async (): Promise<void> => {
    await workload.run(scale, context);
    if (!isEach) ofThreads.push(recording);
  };
  const replayAll = async (pool: pg.Pool): Promise<number> => {
    await emptyTables(pool);
    await context.settle();
    const start = performance.now();
    await Promise.all(ofThreads.map((one) => replay(pool, one)));
    return performance.now() - start;
  };
  return {
    async run() {
      if (ofThreads.length === 0) await record();
      const pool = await openPool(url);
      try {
        await warmUp(workload, scale, () => replayAll(pool));
        const [metric] = workload.metrics;
        return {
          measured: { metrics: { [metric?.key ?? ""]: await replayAll(pool) } },
          statements: ofThreads.reduce((sum, { length }) => sum + length, 0),
        };
      } finally {
        await pool.end();
      }
    },
    end: () => context.end(),
  };
}
