/** Whether what was imported reads here as the official saver reads it there. */
import { isDeepStrictEqual } from "node:util";
import {
  type Checkpoint,
  type CheckpointTuple,
  JsonPlusSerializer,
} from "@langchain/langgraph-checkpoint";
import { TransferError } from "../errors.ts";
import { toTuple } from "../langgraph/checkpoint-rows.ts";
import type {
  OfficialCheckpoint,
  OfficialPage,
  OfficialValue,
} from "../langgraph/official-source.ts";
import type { Reader } from "../storage/reader.ts";

/**
 * Reads each checkpoint of the page back from the database and compares it with the source, revived
 * by LangGraph's own serializer and not by this package's.
 *
 * @throws {TransferError} `VERIFICATION_FAILED` naming the checkpoint and the part that differs.
 */
export async function verifyPage(
  reader: Pick<Reader, "read">,
  threadId: string,
  page: OfficialPage,
): Promise<void> {
  const revived = createReviver();
  for (const one of page.checkpoints) {
    const stored = await reader.read(threadId, one.namespace, one.checkpointId);
    const here = stored && (await toTuple(stored));
    const differs = here === undefined ? "itself" : await difference(here, one, page, revived);
    if (differs === undefined) continue;
    throw new TransferError(
      "VERIFICATION_FAILED",
      `Thread ${JSON.stringify(threadId)}, checkpoint ${one.checkpointId}: ${differs} does not read back as it is in the source. Nothing of the thread was imported. Please report it.`,
    );
  }
}

type Revive = (value: OfficialValue) => Promise<unknown>;

/** The first part that differs. */
async function difference(
  here: CheckpointTuple,
  there: OfficialCheckpoint,
  page: OfficialPage,
  revived: Revive,
): Promise<string | undefined> {
  const checkpoint = JSON.parse(there.checkpoint) as Checkpoint;
  const values: Record<string, unknown> = {};
  for (const [channel, version] of Object.entries(checkpoint.channel_versions ?? {})) {
    const value = page.value(there.namespace, channel, version);
    if (value) values[channel] = await revived(value);
  }
  const { channel_values, ...rest } = here.checkpoint;
  for (const channel of new Set([...Object.keys(values), ...Object.keys(channel_values)])) {
    if (!same(channel_values[channel], values[channel]))
      return `channel ${JSON.stringify(channel)}`;
  }
  const { channel_values: _, ...wanted } = checkpoint;
  const defaults = { v: 1, ts: "", versions_seen: {}, channel_versions: {} };
  if (!same(rest, { ...defaults, ...wanted, id: there.checkpointId })) return "the checkpoint";
  const metadata = await revived({ type: "json", payload: there.metadata });
  if (!same(here.metadata, metadata)) return "the metadata";
  if ((here.parentConfig?.configurable?.checkpoint_id ?? null) !== there.parentId)
    return "the parent";
  const writes = [];
  for (const { taskId, idx, channel, ...value } of there.writes) {
    writes.push({ sort: [taskId, idx] as const, write: [taskId, channel, await revived(value)] });
  }
  writes.sort(({ sort: a }, { sort: b }) => compare(a[0], b[0]) || a[1] - b[1]);
  return same(
    here.pendingWrites,
    writes.map(({ write }) => write),
  )
    ? undefined
    : "its pending writes";
}

/** LangGraph's own, so that a mistake of this package's reading and writing shows. */
function createReviver(): Revive {
  const serde = new JsonPlusSerializer();
  const known = new Map<OfficialValue, unknown>();
  return async (value) => {
    if (!known.has(value))
      known.set(value, await serde.loadsTyped(value.type, value.payload as never));
    return known.get(value);
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Bytes are equal whatever view of them either side has. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return isDeepStrictEqual(a, b);
}
