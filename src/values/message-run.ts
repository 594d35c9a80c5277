import type { Branch } from "./branches.ts";
import type { Given, MessageShape } from "./message-plan.ts";
import { TREE } from "./parameters.ts";
import { isMessage, lengthOf, type MessagePiece } from "./piece.ts";
import { TreeChunk } from "./tree-chunk.ts";

/**
 * The messages below one index node, side by side in their order. A long chat is read and put again and again and is
 * mostly the same; its leaves and pieces are spread over more memory than a processor's cache holds. With this, reading
 * and comparing a message need neither.
 */
export interface MessageRun {
  readonly node: Branch;
  readonly pieces: readonly MessagePiece[];
  readonly shapes: readonly MessageShape[];
  readonly givens: readonly Given[];
  /** Whether the first, or the last, is so short that with a neighbour it would share a leaf. */
  readonly startsShort: boolean;
  readonly endsShort: boolean;
}

/** The run of an index node, or null if what is below it is not all leaves with one message each. */
export function messageRun(node: Branch): MessageRun | null {
  const pieces: MessagePiece[] = [];
  let isShort = false;
  for (const leaf of node.below) {
    if (!(leaf instanceof TreeChunk) || leaf.only === null || !isMessage(leaf.only)) return null;
    const wasShort = isShort;
    isShort = isShortPiece(leaf.only);
    // Whoever cut them apart, this process would not.
    if (wasShort && isShort) return null;
    pieces.push(leaf.only);
  }
  return {
    node,
    pieces,
    shapes: pieces.map(({ shape }) => shape),
    givens: pieces.map(({ given }) => given),
    startsShort: isShortPiece(pieces[0] as MessagePiece),
    endsShort: isShort,
  };
}

function isShortPiece(piece: MessagePiece): boolean {
  return lengthOf(piece) < TREE.ownLeaf;
}
