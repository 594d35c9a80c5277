/** Checkpoints before format 4 kept the sends of a step as pending writes of their parent. */
import { type CheckpointTuple, maxChannelVersion, TASKS } from "@langchain/langgraph-checkpoint";
import type { Reader } from "../storage/reader.ts";
import { inOrder } from "./checkpoint-rows.ts";
import { checkpointIdOf, namespaceOf, threadIdOf } from "./config.ts";

const FIRST_WITHOUT = 4;

/** The tuple as format 4 has it: its own parent's sends as the value of the tasks channel. */
export function withPendingSends(
  storage: Pick<Reader, "writesOn">,
  tuple: CheckpointTuple,
  firstVersion: () => number,
): CheckpointTuple | Promise<CheckpointTuple> {
  const { checkpoint, parentConfig } = tuple;
  if (checkpoint.v >= FIRST_WITHOUT || parentConfig === undefined) return tuple;
  const parent = {
    threadId: threadIdOf(parentConfig),
    namespace: namespaceOf(parentConfig),
    checkpointId: checkpointIdOf(parentConfig) ?? "",
  };
  return storage.writesOn([parent], TASKS).then(([writes = []]) => {
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = inOrder(writes).map(({ value }) => value);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : firstVersion();
    return tuple;
  });
}
