/** Which nodes of a graph ran to make a checkpoint: those that have seen newer versions since its parent. */
import type { StoredCheckpoint } from "../storage/reader.ts";
import { deserialize } from "../values/codec.ts";

/** What `checkpoint_data` holds of a graph's checkpoint, as far as a record shows it. */
export interface GraphData {
  readonly checkpoint: { readonly versions_seen?: VersionsSeen };
  readonly metadata: Readonly<Record<string, unknown>>;
}

type VersionsSeen = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

/** LangGraph's own books among the nodes. */
const NOT_NODES: ReadonlySet<string> = new Set(["__input__", "__interrupt__"]);

/** Their names, joined; undefined where none ran or the parent that would tell is gone. */
export async function nodesThatRan(
  { checkpoint }: GraphData,
  { parentId, details }: StoredCheckpoint,
): Promise<string | undefined> {
  if (parentId !== null && details?.parentData == null) return undefined;
  const parent =
    details?.parentData == null
      ? undefined
      : ((await deserialize(details.parentData)) as GraphData);
  const before = parent?.checkpoint.versions_seen ?? {};
  const ran = Object.entries(checkpoint.versions_seen ?? {}).filter(
    ([node, seen]) =>
      !NOT_NODES.has(node) &&
      Object.entries(seen).some(
        ([channel, version]) => ownOf(ownOf(before, node), channel) !== version,
      ),
  );
  return ran.length === 0 ? undefined : ran.map(([node]) => node).join(", ");
}

function ownOf<T>(from: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return from !== undefined && Object.hasOwn(from, key) ? from[key] : undefined;
}
