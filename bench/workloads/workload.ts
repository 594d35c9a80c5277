/** What a workload is. Each lives in a file of its own and is listed in `all.ts`. */
import type { OpenSaver, PeerName } from "../peers/peer.ts";

export type Scale = "full" | "quick";

export type Unit = "ms" | "bytes" | "ratio" | "per second";

export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly unit: Unit;
  /** What a user wants. The ratio shown is always how much better ours is. */
  readonly better: "less" | "more";
  /** How many times better ours has to be, by peer. */
  readonly targets?: Partial<Record<PeerName, number>>;
  /** What ours has to stay under, whatever the peers do. */
  readonly atMost?: number;
}

export interface Measured {
  /** By `Metric.key`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Where there is one, plots are drawn. */
  readonly turns?: TurnSeries;
}

export interface TurnSeries {
  /** Milliseconds of each turn. */
  readonly ms: readonly number[];
  /** Bytes stored after some of the turns. */
  readonly stored: readonly { readonly turn: number; readonly bytes: number }[];
}

/** What a workload may use of the harness during one run with one saver. All of it is closed after the run. */
export interface RunContext {
  /** The saver on an empty database. */
  open(): Promise<OpenSaver>;
  /** A database in which the thread `THREAD` has a chat of so many turns. It is shared: only to be read. */
  chatDatabase(turns: number): Promise<string>;
  /** The saver on a copy of a database. */
  openCopy(url: string): Promise<OpenSaver>;
  /** Runs the reading process (`reader.ts`) on a database. */
  read(url: string, request: ReadRequest): Promise<ReadAnswer>;
  /** Made in the first round with this saver, with all that it opens, and kept for the others. */
  once<T>(make: () => Promise<T>): Promise<T>;
  /** Does all of it at once; where a statement is recorded for each call, one after the other. */
  together(works: readonly (() => Promise<unknown>)[]): Promise<unknown>;
  /** Flushes the server: to be called just before the clock starts. */
  settle(): Promise<void>;
}

export interface ReadRequest {
  readonly what: "tuple" | "list";
  readonly thread: string;
  /** Of `list`. */
  readonly limit: number;
  readonly repeat: number;
}

export interface ReadAnswer {
  /** Milliseconds of the first read, with nothing cached, and the median of the ones after it. */
  readonly first: number;
  readonly again: number;
  /** How far the first read raised the memory of the process (RSS, looked at with every tuple). */
  readonly memory: number;
}

export interface Workload {
  readonly name: string;
  /** Who takes part beside ours. The drivers replay a run of ours, and are compared by the first metric. */
  readonly peers: readonly PeerName[];
  readonly metrics: readonly Metric[];
  describe(scale: Scale): string;
  /** Whether every saver does a whole run that is not counted before the first round, and small ones before each. A quick run compares nothing. */
  warmsUp(scale: Scale): boolean;
  run(scale: Scale, context: RunContext): Promise<Measured>;
}

interface Definition<Size> {
  readonly name: string;
  readonly peers: readonly PeerName[];
  readonly metrics: readonly Metric[];
  /** Not where what is measured runs in a fresh process, or warms up by itself. */
  readonly warmsUp?: true;
  readonly sizes: { readonly full: Size; readonly quick: Size };
  describe(size: Size): string;
  run(size: Size, context: RunContext): Promise<Measured>;
}

export function workload<Size>(definition: Definition<Size>): Workload {
  const { name, peers, metrics, sizes } = definition;
  return {
    name,
    peers,
    metrics,
    warmsUp: (scale) => scale === "full" && definition.warmsUp === true,
    describe: (scale) => definition.describe(sizes[scale]),
    run: (scale, context) => definition.run(sizes[scale], context),
  };
}
