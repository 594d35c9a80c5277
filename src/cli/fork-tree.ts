/** Checkpoints and their parents as a tree of text: a line each, branches beside the trunk. */

export interface TreeNode {
  readonly id: string;
  readonly parentId: string | null;
  readonly seq: number;
}

export interface TreeLine<N extends TreeNode> {
  /** `● `, `│ ├─● `, … */
  readonly graph: string;
  readonly node: N;
  /** Whether its parent is not among the nodes although it has one. */
  readonly orphan: boolean;
}

/**
 * Oldest first. Where several checkpoints have one parent, the branch that was put to last goes on
 * in the parent's column as the trunk, below the others.
 */
export function forkTree<N extends TreeNode>(nodes: readonly N[]): TreeLine<N>[] {
  const ids = new Set(nodes.map(({ id }) => id));
  const children = new Map<string | null, N[]>();
  for (const node of nodes) {
    const parent = node.parentId !== null && ids.has(node.parentId) ? node.parentId : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(node);
    else children.set(parent, [node]);
  }
  const last = lastPuts(nodes);
  const lines: TreeLine<N>[] = [];
  // A stack of its own: a thread is deeper than the call stack.
  const stack: { node: N; indent: string; branch: boolean }[] = [];
  const push = (family: readonly N[], indent: string, isRoot: boolean): void => {
    const ordered = [...family].sort((a, b) => (last.get(b.id) ?? 0) - (last.get(a.id) ?? 0));
    // The stack gives back in reverse: the trunk is pushed first and drawn last.
    for (const [i, node] of ordered.entries()) {
      stack.push({ node, indent, branch: i > 0 && !isRoot });
    }
  };
  push(children.get(null) ?? [], "", true);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, indent, branch } = next;
    lines.push({
      graph: `${indent}${branch ? "├─" : ""}● `,
      node,
      orphan: node.parentId !== null && !ids.has(node.parentId),
    });
    push(children.get(node.id) ?? [], branch ? `${indent}│ ` : indent, false);
  }
  return lines;
}

/** For each node the highest seq among it and its descendants. */
function lastPuts(nodes: readonly TreeNode[]): Map<string, number> {
  const last = new Map(nodes.map(({ id, seq }) => [id, seq]));
  const parents = new Map(nodes.map(({ id, parentId }) => [id, parentId]));
  // Latest first: whoever has been raised to this already has all above it raised, too.
  for (const { id, seq } of [...nodes].sort((a, b) => b.seq - a.seq)) {
    let parent = parents.get(id) ?? null;
    while (parent !== null && (last.get(parent) ?? Number.POSITIVE_INFINITY) < seq) {
      last.set(parent, seq);
      parent = parents.get(parent) ?? null;
    }
  }
  return last;
}
