import type { TreeNode } from "./branches.ts";
import type { MessageRun } from "./message-run.ts";
import { TREE } from "./parameters.ts";
import { entryText, lengthOf, type Piece } from "./piece.ts";
import { leafChunk, type TreeChunk, textLeaf } from "./tree-chunk.ts";

/**
 * What a container is made of: a piece, the text of an element or entry that is not remembered, a
 * container's chunk, or a run of messages at once.
 */
export type Item = Piece | string | TreeNode | MessageRun;

function isNode(item: Item): item is TreeNode | MessageRun {
  return typeof item !== "string" && (item as Piece).wire === undefined;
}

function isRun(item: TreeNode | MessageRun): item is MessageRun {
  return (item as MessageRun).pieces !== undefined;
}

export type Add = (item: Item) => void;

/**
 * Puts a container's items, which `fill` adds one by one, into leaves, in their order. Where a run
 * of messages is cut as it was, its index node stands for them.
 */
export function leavesOf(isList: boolean, fill: (add: Add) => void): TreeNode[] {
  const nodes: TreeNode[] = [];
  let shared: (Piece | string)[] = [];
  let size = 0;
  const closeShared = (): void => {
    if (shared.length === 0) return;
    nodes.push(leafOf(shared, isList));
    shared = [];
    size = 0;
  };
  const add = (item: Item): void => {
    if (isNode(item)) {
      if (isRun(item)) {
        const mayBeCutElsewhere = item.endsShort || (item.startsShort && shared.length > 0);
        if (mayBeCutElsewhere) {
          item.pieces.forEach(add);
          return;
        }
      }
      closeShared();
      nodes.push(isRun(item) ? item.node : item);
      return;
    }
    const length = typeof item === "string" ? item.length : lengthOf(item);
    if (length >= TREE.ownLeaf) {
      closeShared();
      nodes.push(typeof item === "string" ? textLeaf(isList, item) : ownLeaf(item, isList));
      return;
    }
    size += shared.length === 0 ? length : length + 1;
    shared.push(item);
    if (closesLeaf(item, length, size)) closeShared();
  };
  fill(add);
  closeShared();
  return nodes;
}

function ownLeaf(piece: Piece, isList: boolean): TreeChunk {
  const known = piece.leaf;
  return known !== null && known.only === piece ? known : leafOf([piece], isList);
}

function leafOf(run: readonly (Piece | string)[], isList: boolean): TreeChunk {
  if (run.some((item) => typeof item === "string")) return textLeaf(isList, textOf(run));
  const elements = run as readonly Piece[];
  const first = elements[0] as Piece;
  const known = first.leaf;
  if (known !== null && holds(known, elements)) return known;
  const keys = isList ? null : elements.map((piece) => piece.key as string);
  const leaf = leafChunk({ keys, elements, arePrimitives: false }, textOf(run));
  first.leaf = leaf;
  // The leaf keeps a long text until it is sent; two of them would be one too many.
  if (elements.length === 1) first.text = null;
  return leaf;
}

function holds(leaf: TreeChunk, run: readonly (Piece | string)[]): boolean {
  const { elements } = leaf.content();
  return elements.length === run.length && elements.every((element, at) => element === run[at]);
}

function textOf(run: readonly (Piece | string)[]): string {
  return run.map((item) => (typeof item === "string" ? item : entryText(item))).join(",");
}

const CHANCE_PER_UNIT = 2 ** 32 / TREE.meanSharedLeaf;

/**
 * Whether a shared leaf that is `size` long with this item at its end is closed after it. It
 * depends on nothing further left, so a change moves the boundaries next to it and no others.
 */
function closesLeaf(item: Piece | string, length: number, size: number): boolean {
  if (size < TREE.minSharedLeaf) return false;
  return size >= TREE.maxSharedLeaf || boundaryOf(item) < length * CHANCE_PER_UNIT;
}

function boundaryOf(item: Piece | string): number {
  if (typeof item === "string") return boundaryHash(item);
  item.boundary ??= boundaryHash(entryText(item));
  return item.boundary;
}

/** Spreads a text's characters over 32 bits. Only boundaries depend on it, nothing is identified by it. */
function boundaryHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
