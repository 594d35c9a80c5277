import type { ChunkId } from "./chunk.ts";
import { messageRun } from "./message-run.ts";
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
  return group(leaves, true);
}

function group(nodes: TreeNode[], areLeaves: boolean): TreeNode[] {
  if (nodes.length <= TREE.maxRootIds) {
    const level = areLeaves ? nodes.flatMap(leavesOfRun) : nodes;
    if (level.length <= TREE.maxRootIds) return level;
  }
  const above: TreeNode[] = [];
  let open: TreeNode[] = [];
  const add = (node: TreeNode): void => {
    open.push(node);
    if (closesNode(chunkOf(node), open.length)) close();
  };
  const close = (): void => {
    above.push(indexNode(open));
    open = [];
  };
  for (const node of nodes) {
    if (!areLeaves || !isRunNode(node)) add(node);
    else if (open.length === 0) above.push(node);
    else node.below.forEach(add);
  }
  if (open.length > 0) close();
  return group(above, false);
}

/** Of what stands among leaves, only runs of messages are index nodes: containers have a header. */
function isRunNode(node: TreeNode): node is Branch {
  return !(node instanceof TreeChunk) && node.chunk.header === null;
}

function leavesOfRun(node: TreeNode): readonly TreeNode[] {
  return isRunNode(node) ? node.below : [node];
}

function indexNode(below: TreeNode[]): Branch {
  const known = chunkOf(below[0] as TreeNode).parent?.deref();
  if (known !== undefined && hasChildren(known, below)) return { chunk: known, below };
  const node = { chunk: nodeChunk(null, below.map(idOf)), below };
  rememberNode(node);
  return node;
}

/**
 * Makes an index node known to the first chunk below it, and the messages below it to the node, if this process would
 * close it just there.
 */
export function rememberNode(node: Branch): void {
  const { chunk, below } = node;
  const isClosed = below.every(
    (one, index) => closesNode(chunkOf(one), index + 1) === (index === below.length - 1),
  );
  chunk.messages = isClosed ? messageRun(node) : null;
  chunkOf(below[0] as TreeNode).parent = new WeakRef(chunk);
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
