/** What a checkpoint itself says of how its run goes on; a saver is told neither the graph nor the run's end. */
import {
  type Checkpoint,
  type CheckpointMetadata,
  isDeltaSnapshot,
  TASKS,
} from "@langchain/langgraph-checkpoint";

/**
 * Whether some node is about to run: an input that nobody has taken, an edge that was followed, a
 * `Send`, a join whose nodes have all arrived. Channels of these kinds are empty once their node ran.
 *
 * False at the end of a run of a `StateGraph` or an `entrypoint`. For a graph of the user's own
 * channels, which this knows nothing of, it is false at every step.
 */
export function hasNextTasks({ channel_values: values }: Checkpoint): boolean {
  return Object.entries(values).some(([channel, value]) => {
    if (channel === TASKS) return Array.isArray(value) && value.flat().length > 0;
    if (channel.startsWith("join:")) return isComplete(channel, value);
    return channel === "__start__" || channel.startsWith("branch:to:");
  });
}

/** `join:a+b:c` holds the names of those that have arrived. */
function isComplete(channel: string, value: unknown): boolean {
  const awaited = channel.slice("join:".length, channel.lastIndexOf(":")).split("+");
  const arrived = [value].flat(2).filter((name) => typeof name === "string");
  return arrived.length >= awaited.length;
}

/**
 * Whether the graph has a DeltaChannel. Its values are rebuilt from the pending writes of all
 * checkpoints since the last snapshot, so none of these may be left out.
 */
export function hasDeltaChannels(checkpoint: Checkpoint, metadata: CheckpointMetadata): boolean {
  return (
    "delta_writes_versioned" in metadata ||
    "counters_since_delta_snapshot" in metadata ||
    Object.values(checkpoint.channel_values).some(isDeltaSnapshot)
  );
}
