/** What is to be removed of a thread, worked out without any lock. */
import { textArray } from "../postgres/arrays.ts";
import type { Row } from "../postgres/database.ts";
import { checkpointPlace } from "../storage/places.ts";
import { isSealed, openData } from "../storage/sealing.ts";
import {
  type AncestorNode,
  type Ancestry,
  ancestryOf,
  type ChannelNeed,
  type CheckpointStub,
  keyOf,
  wholeLinks,
} from "./keep-set.ts";
import { planStatements } from "./plan-statements.ts";
import type { Place } from "./round.ts";

/** Which checkpoints are wanted for their own sake. */
export interface Selection {
  /** Chooses among all checkpoints of a thread; in no order. */
  readonly wanted: (checkpoints: readonly CheckpointStub[]) => Iterable<CheckpointStub>;
  /** Whether checkpoints that only others need stay visible where they are whole. */
  readonly showLinks: boolean;
  /** Whether `wanted` looks at `parents`. */
  readonly withParents?: boolean;
}

/** What the thread was when the plan was made; a removal proves that it still holds. */
export interface Plan {
  readonly threadId: string;
  readonly generation: string;
  readonly lastSeq: number;
  /** Whether the thread was written to lately. */
  readonly inUse: boolean;
  /** To be removed; newest first, so that what an interruption leaves still has its ancestors. */
  readonly doomed: readonly CheckpointStub[];
  /** To be made invisible: others need them, nobody wants them. */
  readonly hidden: readonly CheckpointStub[];
  /** How many checkpoints stay, invisible ones included. */
  readonly kept: number;
}

/** Checkpoints before this format keep their sends among their parent's writes. */
const FIRST_WITHOUT_SENDS = 4;

/** The plan; undefined where there is no such thread, or none that has not expired. */
export async function planRemoval(
  place: Place,
  threadId: string,
  { wanted: choose, showLinks, withParents = false }: Selection,
): Promise<Plan | undefined> {
  const { skeleton, skeletonWithParents } = planStatements(place.names);
  const rows = await place.database.execute(withParents ? skeletonWithParents : skeleton, [
    threadId,
  ]);
  const thread = rows.find((row) => row[0] === "thread");
  if (thread === undefined) return undefined;
  const stubs = rows.filter((row) => row[0] === "checkpoint").map(stub);
  const byKey = new Map(stubs.map((one) => [keyOf(one.namespace, one.id), one]));
  const wanted = new Set(choose(stubs));
  const parentOf = (one: CheckpointStub): CheckpointStub | undefined =>
    one.parentId === null ? undefined : byKey.get(keyOf(one.namespace, one.parentId));

  // What a wanted checkpoint with a wanted parent needs, its nearest ancestor whose parent is not
  // wanted needs too, so only those are asked about.
  const isEdge = (one: CheckpointStub, kept: ReadonlySet<CheckpointStub>): boolean => {
    const parent = parentOf(one);
    return parent !== undefined && !kept.has(parent);
  };
  const edges = [...wanted].filter((one) => isEdge(one, wanted));
  const needs = await readNeeds(place, threadId, edges, byKey);
  const links = new Set<CheckpointStub>();
  for (const key of needs.ancestry.links) addUnlessWanted(byKey.get(key));
  for (const one of needs.sends) addUnlessWanted(parentOf(one));
  function addUnlessWanted(one: CheckpointStub | undefined): void {
    if (one !== undefined && !wanted.has(one)) links.add(one);
  }

  const kept = new Set([...wanted, ...links]);
  let visible = new Set<string>();
  if (showLinks && links.size > 0) {
    const ends = [...links].filter((one) => isEdge(one, kept));
    const beyond = await readNeeds(place, threadId, ends, byKey);
    visible = wholeLinks([...links], beyond.ancestry.rebuilt, needs.ancestry.node);
    for (const one of beyond.sends) visible.delete(keyOf(one.namespace, one.id));
  }
  return {
    threadId,
    generation: thread[1] ?? "",
    lastSeq: Number(thread[2]),
    inUse: thread[3] === "true",
    doomed: stubs.filter((one) => !kept.has(one)).sort((a, b) => b.seq - a.seq),
    hidden: [...links].filter(
      (one) =>
        one.state !== "hidden" &&
        !(one.state === "alive" && visible.has(keyOf(one.namespace, one.id))),
    ),
    kept: kept.size,
  };
}

interface Needs {
  readonly ancestry: Ancestry;
  /** The checkpoints whose sends are among their parent's writes. */
  readonly sends: readonly CheckpointStub[];
}

async function readNeeds(
  place: Place,
  threadId: string,
  of: readonly CheckpointStub[],
  byKey: ReadonlyMap<string, CheckpointStub>,
): Promise<Needs> {
  const statements = planStatements(place.names);
  const columns = (rows: readonly { namespace: string; id: string }[]) =>
    [textArray(rows.map((row) => row.namespace)), textArray(rows.map((row) => row.id))] as const;
  const found =
    of.length === 0
      ? []
      : await place.database.execute(statements.needs, [threadId, ...columns(of)]);
  const channels = found.filter((row) => row[0] === "channel").map(channelNeed);
  const nodes =
    channels.length === 0
      ? []
      : await place.database.execute(statements.walk, [
          threadId,
          ...columns(channels),
          textArray(channels.map(({ channel }) => channel)),
        ]);
  const parentOf = (namespace: string, id: string) =>
    byKey.get(keyOf(namespace, id))?.parentId ?? null;
  return {
    ancestry: ancestryOf(channels, nodes.map(ancestorNode), parentOf),
    sends: found
      .filter(
        (row) => row[0] === "sends" && formatOf(dataOf(place, threadId, row)) < FIRST_WITHOUT_SENDS,
      )
      .flatMap((row) => byKey.get(keyOf(row[1] ?? "", row[2] ?? "")) ?? []),
  };
}

/** Undefined where it is encrypted and nobody gave a key. */
function dataOf({ cipher }: Place, threadId: string, row: Row): string | undefined {
  const [, namespace, id, parent = null, versions, base64] = row;
  const bytes = Buffer.from(base64 ?? "", "base64");
  if (cipher === undefined) return isSealed(bytes) ? undefined : bytes.toString("utf8");
  const at = checkpointPlace(namespace ?? "", id ?? "", parent, versions ?? "");
  return openData(cipher, threadId, at, bytes).data;
}

/**
 * The checkpoint's `v`; one that lacks it is of the first format, as the saver reads it. So is one
 * that cannot be read: keeping a parent too many costs space, one too few costs state.
 */
function formatOf(data: string | undefined): number {
  if (data === undefined) return 1;
  const { checkpoint } = JSON.parse(data) as { checkpoint?: { v?: unknown } };
  return typeof checkpoint?.v === "number" ? checkpoint.v : 1;
}

function stub(row: Row): CheckpointStub {
  return {
    namespace: row[1] ?? "",
    id: row[2] ?? "",
    parentId: row[3] ?? null,
    seq: Number(row[4]),
    state: row[5] as CheckpointStub["state"],
    executionId: row[6] ?? null,
    parents: row[7] ?? null,
  };
}

function channelNeed(row: Row): ChannelNeed {
  return {
    namespace: row[1] ?? "",
    id: row[2] ?? "",
    channel: row[3] ?? "",
    counted: row[4] === "true",
  };
}

function ancestorNode(row: Row): AncestorNode {
  return {
    namespace: row[0] ?? "",
    id: row[1] ?? "",
    parentId: row[2] ?? null,
    channel: row[3] ?? "",
    seed: row[4] as AncestorNode["seed"],
    written: row[5] === "true",
  };
}
