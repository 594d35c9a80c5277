/** What a checkpoint holds besides its values. */
import { CorruptCheckpointError } from "../errors.ts";
import { deserialize } from "../values/codec.ts";

/** @throws CorruptCheckpointError naming thread and checkpoint, where it cannot be read. */
export async function readData(stored: {
  readonly threadId: string;
  readonly checkpointId: string;
  readonly data: string;
}): Promise<unknown> {
  const { threadId, checkpointId, data } = stored;
  try {
    return await deserialize(data);
  } catch (error) {
    if (!(error instanceof CorruptCheckpointError)) throw error;
    throw new CorruptCheckpointError(
      `Thread ${JSON.stringify(threadId)}, checkpoint ${checkpointId}: ${error.message}`,
      { cause: error },
    );
  }
}
