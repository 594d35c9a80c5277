/** Where the rows of an encrypted store stand in their thread: what is authenticated with their payloads. */
import type { Place } from "../encryption/cipher.ts";

/** Names are as their columns hold them. */
export const valuePlace = (namespace: string, channel: string, version: string): Place => ({
  kind: "value",
  key: [namespace, channel, version],
  beside: [],
});

interface WriteKey {
  readonly namespace: string;
  readonly checkpointId: string;
  readonly taskId: string;
  readonly idx: number | string;
  readonly taskPath: string;
  readonly channel: string;
}

export const writePlace = (write: WriteKey): Place => ({
  kind: "write",
  key: [write.namespace, write.checkpointId, write.taskId, String(write.idx)],
  beside: [write.channel, write.taskPath],
});

/** `versions` is the JSON text of the column. */
export const checkpointPlace = (
  namespace: string,
  id: string,
  parentId: string | null,
  versions: string,
): Place => ({ kind: "checkpoint", key: [namespace, id], beside: [parentId, versions] });

/** The place of a row whose cells go by the names of its table's columns. */
export function placeOfRow(
  kind: Exclude<Place["kind"], "chunk">,
  row: Readonly<Record<string, unknown>>,
): Place {
  const text = (column: string): string => String(row[column] ?? "");
  const namespace = text("checkpoint_ns");
  switch (kind) {
    case "value":
      return valuePlace(namespace, text("channel"), text("version"));
    case "checkpoint": {
      const parentId = (row.parent_checkpoint_id ?? null) as string | null;
      return checkpointPlace(namespace, text("checkpoint_id"), parentId, text("channel_versions"));
    }
    case "write":
      return writePlace({
        namespace,
        checkpointId: text("checkpoint_id"),
        taskId: text("task_id"),
        idx: text("idx"),
        taskPath: text("task_path"),
        channel: text("channel"),
      });
  }
}
