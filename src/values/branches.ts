import type { ChunkId } from "./chunk.ts";
import { TREE } from "./parameters.ts";
import { nodeChunk, TreeChunk } from "./tree-chunk.ts";

/** A chunk and those under it. A leaf is its own node. */
export type TreeNode = TreeChunk | Branch;

export interface Branch {
  readonly chunk: TreeChunk;
  readonly below: readonly TreeNode[];
}

export function chunkOf(node: TreeNode): TreeChunk {
  return node instanceof TreeChunk ? node : node.chunk;
}

/** Groups nodes into index nodes until few enough are left for a row. */
export function grouped(leaves: TreeNode[]): TreeNode[] {
  let level = leaves;
  while (level.length > TREE.maxRootIds) {
    const above: TreeNode[] = [];
    let start = 0;
    for (let index = 0; index < level.length; index += 1) {
      const last = chunkOf(level[index] as TreeNode);
      if (closesNode(last, index + 1 - start) || index === level.length - 1) {
        above.push(indexNode(level.slice(start, index + 1)));
        start = index + 1;
      }
    }
    level = above;
  }
  return level;
}

function indexNode(below: TreeNode[]): Branch {
  const first = chunkOf(below[0] as TreeNode);
  if (first.parent === null || !hasChildren(first.parent, below)) {
    first.parent = nodeChunk(null, below.map(idOf));
  }
  return { chunk: first.parent, below };
}

/** The chunk of an array or object that is itself an element or entry. */
export function containerNode(header: string, below: TreeNode[]): Branch {
  const first = chunkOf(below[0] as TreeNode);
  const known = first.container;
  if (known === null || known.header !== header || !hasChildren(known, below)) {
    first.container = nodeChunk(header, below.map(idOf));
  }
  const chunk = first.container as TreeChunk;
  chunk.isOwnCut = true;
  return { chunk, below };
}

/**
 * The node of a container or long text whose chunk is known. What is below it is made the first time, to see that it is
 * the same, and then only if it has to be sent.
 */
export function knownNode(chunk: TreeChunk, header: string, cut: () => TreeNode[]): Branch {
  if (!chunk.isOwnCut) {
    const below = cut();
    if (!hasChildren(chunk, below)) return containerNode(header, below);
    chunk.isOwnCut = true;
  }
  return {
    chunk,
    get below() {
      return cut();
    },
  };
}

export function idOf(node: TreeNode): ChunkId {
  return chunkOf(node).id;
}

function hasChildren(chunk: TreeChunk, below: readonly TreeNode[]): boolean {
  const children = chunk.children as readonly ChunkId[];
  if (children.length !== below.length) return false;
  for (let index = 0; index < children.length; index += 1) {
    if (children[index] !== idOf(below[index] as TreeNode)) return false;
  }
  return true;
}

/** Whether an index node of `count` children, this one last, is closed after it. */
function closesNode(last: TreeChunk, count: number): boolean {
  if (count < TREE.minFanout) return false;
  last.mayClose ??= hexDigit(last.id.charCodeAt(35)) % TREE.meanFanout === 0;
  return last.mayClose || count >= TREE.maxFanout;
}

function hexDigit(charCode: number): number {
  return charCode < 58 ? charCode - 48 : charCode - 87;
}
