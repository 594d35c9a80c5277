/** The fresh process of the reading workloads: opens one saver, reads, answers and ends. Started by `read.ts`. */
import { performance } from "node:perf_hooks";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { peers } from "./peers/all.ts";
import type { PeerName } from "./peers/peer.ts";
import { median } from "./statistics.ts";
import type { ReadAnswer, ReadRequest } from "./workloads/workload.ts";

export interface ReaderTask extends ReadRequest {
  readonly peer: PeerName;
  readonly url: string;
}

process.once("message", (task: ReaderTask) => {
  answer(task).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
});

async function answer(task: ReaderTask): Promise<ReadAnswer> {
  const peer = peers.find(({ name }) => name === task.peer);
  if (!peer) throw new Error(`There is no saver ${task.peer}.`);
  const open = await peer.open(task.url);
  globalThis.gc?.();
  // Not the kernel's own high-water mark: starting the process raised that already.
  const before = process.memoryUsage.rss();
  let peak = before;
  const first = await timed(open.saver, task, () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  });
  const others: number[] = [];
  for (let n = 0; n < task.repeat; n += 1) others.push(await timed(open.saver, task));
  await open.close();
  return { first, again: median(others), memory: peak - before };
}

async function timed(
  saver: BaseCheckpointSaver,
  task: ReaderTask,
  onTuple: () => void = () => {},
): Promise<number> {
  const config = { configurable: { thread_id: task.thread } };
  const start = performance.now();
  let found = 0;
  for await (const _ of read(saver, config, task)) {
    found += 1;
    onTuple();
  }
  const ms = performance.now() - start;
  if (found === 0) throw new Error(`${task.peer} found nothing of ${task.thread}.`);
  return ms;
}

type Config = Parameters<BaseCheckpointSaver["getTuple"]>[0];

async function* read(
  saver: BaseCheckpointSaver,
  config: Config,
  { what, limit }: ReaderTask,
): AsyncGenerator<unknown> {
  if (what === "list") return yield* saver.list(config, { limit });
  const tuple = await saver.getTuple(config);
  if (tuple) yield tuple;
}
