/** Which puts fork on purpose, for a saver that refuses those that do so by accident. */
import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { dropOldest } from "../drop-oldest.ts";
import type { CheckpointKey } from "../storage/reader.ts";

export interface ForkPoints {
  /** A caller asked for this checkpoint by its id: what it puts under it is meant to be there. */
  add(point: CheckpointKey): void;
  /** Whether a put under `parent` may leave the thread's head. */
  isFork(parent: CheckpointKey, metadata: CheckpointMetadata): boolean;
}

/** Runs that begin at a named checkpoint put under it soon; older ones have put long ago. */
const MAX_POINTS = 10_000;

export function createForkPoints(): ForkPoints {
  const points = new Set<string>();
  const keyOf = (point: CheckpointKey): string =>
    JSON.stringify([point.threadId, point.namespace, point.checkpointId]);
  return {
    add(point) {
      points.add(keyOf(point));
      dropOldest(points, MAX_POINTS);
    },
    isFork: (parent, { source }) =>
      source === "fork" || source === "update" || points.has(keyOf(parent)),
  };
}
