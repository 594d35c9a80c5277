/**
 * Which checkpoints stay, beyond those that are wanted: a DeltaChannel's value is rebuilt from its
 * ancestors' writes, and a checkpoint before format 4 has its sends among its parent's. Pure; all
 * work is linear in the ancestors that are looked at.
 */

/** A checkpoint as far as retention has to know it. Names are as their columns hold them. */
export interface CheckpointStub {
  readonly namespace: string;
  readonly id: string;
  readonly parentId: string | null;
  readonly seq: number;
  /** `hidden`: an invisible link, kept for those that need it. */
  readonly state: "alive" | "expired" | "hidden";
  readonly executionId: string | null;
  /** JSON text of the metadata's `parents`, where it was asked for. */
  readonly parents: string | null;
}

/** A channel without a value that a checkpoint may have to rebuild from its ancestors. */
export interface ChannelNeed {
  readonly namespace: string;
  readonly id: string;
  readonly channel: string;
  /** Whether LangGraph's own books say that it is a DeltaChannel. */
  readonly counted: boolean;
}

/** What an ancestor holds of one channel. */
export interface AncestorNode {
  readonly namespace: string;
  readonly id: string;
  readonly parentId: string | null;
  readonly channel: string;
  readonly seed: "snapshot" | "plain" | null;
  readonly written: boolean;
}

export const keyOf = (namespace: string, id: string, channel = ""): string =>
  `${namespace}\u0000${id}\u0000${channel}`;

interface Above {
  /** Whether this ancestor, or one above it up to the seed, holds something of the channel. */
  readonly useful: boolean;
  readonly seed: AncestorNode["seed"];
}

export interface Ancestry {
  /** The channels of `needs` that really are rebuilt from ancestors, by checkpoint. */
  readonly rebuilt: ReadonlyMap<string, ReadonlySet<string>>;
  /** The ancestors that the rebuilding reads: keys of checkpoints. */
  readonly links: ReadonlySet<string>;
  readonly node: (namespace: string, id: string, channel: string) => AncestorNode | undefined;
}

/** `parentOf` gives the parent's id of a checkpoint in `needs`. */
export function ancestryOf(
  needs: readonly ChannelNeed[],
  nodes: readonly AncestorNode[],
  parentOf: (namespace: string, id: string) => string | null,
): Ancestry {
  const byKey = new Map(
    nodes.map((node) => [keyOf(node.namespace, node.id, node.channel), node] as const),
  );
  const node = (namespace: string, id: string | null, channel: string) =>
    id === null ? undefined : byKey.get(keyOf(namespace, id, channel));
  const above = new Map<AncestorNode, Above>();
  const links = new Set<string>();
  const marked = new Set<AncestorNode>();
  const rebuilt = new Map<string, Set<string>>();

  /** Goes up to what is known already or to the end, then comes down again: each node is met once. */
  const aboveOf = (start: AncestorNode): Above => {
    const path: AncestorNode[] = [];
    const met = new Set<AncestorNode>();
    let at: AncestorNode | undefined = start;
    while (at !== undefined && !above.has(at) && !met.has(at)) {
      path.push(at);
      met.add(at);
      at = at.seed === null ? node(at.namespace, at.parentId, at.channel) : undefined;
    }
    let found: Above = (at && above.get(at)) ?? { useful: false, seed: null };
    for (const one of path.reverse()) {
      const seed: AncestorNode["seed"] = one.seed ?? found.seed;
      found = { useful: one.seed !== null || one.written || found.useful, seed };
      above.set(one, found);
    }
    return found;
  };

  for (const { namespace, id, channel, counted } of needs) {
    let at = node(namespace, parentOf(namespace, id), channel);
    if (at === undefined) continue;
    const { useful, seed } = aboveOf(at);
    // Without an entry in the books: a snapshot above, or writes and no value ever, are its marks. A
    // channel whose value was plain and is gone (an ephemeral one) is not rebuilt from anything.
    if (!useful || !(counted || seed !== "plain")) continue;
    const key = keyOf(namespace, id);
    rebuilt.set(key, (rebuilt.get(key) ?? new Set()).add(channel));
    while (at !== undefined && !marked.has(at) && aboveOf(at).useful) {
      marked.add(at);
      links.add(keyOf(at.namespace, at.id));
      at = at.seed === null ? node(at.namespace, at.parentId, at.channel) : undefined;
    }
  }
  return { rebuilt, links, node };
}

/**
 * The links that are whole themselves, everything that they are rebuilt from being kept too; the
 * others may stay, but must not be seen. `unmet` says, for a link whose parent does not stay, which
 * channels it would need of the ancestors that go.
 */
export function wholeLinks(
  links: readonly CheckpointStub[],
  unmet: ReadonlyMap<string, ReadonlySet<string>>,
  node: Ancestry["node"],
): Set<string> {
  const byKey = new Map(links.map((link) => [keyOf(link.namespace, link.id), link]));
  const exposed = new Map<string, ReadonlySet<string>>();
  // Ancestors first: a child is put after its parent.
  for (const link of [...links].sort((a, b) => a.seq - b.seq)) {
    const key = keyOf(link.namespace, link.id);
    const parent = link.parentId === null ? undefined : keyOf(link.namespace, link.parentId);
    const inherited =
      parent !== undefined && byKey.has(parent) ? exposed.get(parent) : unmet.get(key);
    const open = [...(inherited ?? [])].filter(
      (channel) => node(link.namespace, link.id, channel)?.seed == null,
    );
    exposed.set(key, new Set(open));
  }
  return new Set([...exposed].filter(([, open]) => open.size === 0).map(([key]) => key));
}
