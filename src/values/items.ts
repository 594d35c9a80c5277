import { containerNode, grouped, knownNode, type TreeNode } from "./branches.ts";
import {
  isLiveContainer,
  isWireContainer,
  kindOf,
  type LiveContainer,
  type WireContainer,
} from "./containers.ts";
import { containerHeader } from "./headers.ts";
import { type Add, type Item, leavesOf } from "./leaves.ts";
import { isLongText, textNodes } from "./long-text.ts";
import type { Memo } from "./memo.ts";
import { TREE } from "./parameters.ts";
import { isMessage, type Piece, rekeyedPiece, writtenPiece } from "./piece.ts";
import { isSurelyLonger } from "./text-length.ts";
import { convertPart } from "./to-wire.ts";
import { locate } from "./unserialisable.ts";

/** The nodes at the top of a container's tree. */
export function liveNodes(container: LiveContainer, depth: number, memo: Memo): TreeNode[] {
  return grouped(leavesOf(Array.isArray(container), (add) => addLive(container, depth, memo, add)));
}

/** The same for one that is in its wire form already. */
export function wireNodes(container: WireContainer, depth: number): TreeNode[] {
  return grouped(leavesOf(Array.isArray(container), (add) => addWire(container, depth, add)));
}

function keyed(key: string | null, text: string): string {
  return key === null ? text : `${JSON.stringify(key)}:${text}`;
}

function addWire(container: WireContainer, depth: number, add: Add): void {
  const isList = Array.isArray(container);
  for (const [index, value] of Object.entries(container)) {
    const key = isList ? null : index;
    if (isLongText(value)) {
      add(containerNode(containerHeader('"', key), textNodes(value)));
      continue;
    }
    const text = JSON.stringify(value);
    if (!mayCut(value, text.length, depth) || !isWireContainer(value)) add(keyed(key, text));
    else add(wireContainer(value, key, depth));
  }
}

function wireContainer(container: WireContainer, key: string | null, depth: number): TreeNode {
  return containerNode(containerHeader(kindOf(container), key), wireNodes(container, depth + 1));
}

const LEAST_LIMIT = Math.min(TREE.listLimit, TREE.objectLimit);

function mayCut(value: unknown, length: number, depth: number): boolean {
  return length > LEAST_LIMIT && length > limitOf(value) && depth < TREE.maxContainerDepth;
}

function mustCut({ wire, length = 0 }: Piece, depth: number): boolean {
  return mayCut(wire, length, depth) && isWireContainer(wire);
}

function limitOf(container: unknown): number {
  return Array.isArray(container) ? TREE.listLimit : TREE.objectLimit;
}

/** One by one: where there are many, their texts need not all exist at once. */
function addLive(container: LiveContainer, depth: number, memo: Memo, add: Add): void {
  let at: string | number = 0;
  try {
    if (Array.isArray(container)) {
      for (at = 0; at < container.length; ) {
        const run = memo.recallRun(container, at);
        add(run ?? liveItem(container[at], null, depth, memo));
        at += run === undefined ? 1 : run.pieces.length;
      }
    } else {
      for (at of Object.keys(container)) {
        add(liveItem(container[at], at, depth, memo));
      }
    }
  } catch (error) {
    throw locate(error, at);
  }
}

function liveItem(value: unknown, key: string | null, depth: number, memo: Memo): Item {
  switch (typeof value) {
    case "string":
      if (value.length < TREE.ownLeaf) return keyed(key, JSON.stringify(value));
      return isLongText(value) ? longText(value, key, memo) : textItem(value, key, memo);
    case "number":
      // Those that JSON cannot write become records below.
      if (Number.isFinite(value) && !Object.is(value, -0)) return keyed(key, String(value));
      break;
    case "object":
      if (value !== null) return objectItem(value, key, depth, memo);
      break;
  }
  return keyed(key, JSON.stringify(convertPart(value, "state", depth + 1)));
}

function textItem(value: string, key: string | null, memo: Memo): Piece {
  const known = memo.recallText(value);
  if (known !== undefined && known.key === key) return known;
  const piece = writtenPiece(value, key, JSON.stringify(value));
  memo.rememberText(value, piece);
  return piece;
}

function longText(value: string, key: string | null, memo: Memo): TreeNode {
  const header = containerHeader('"', key);
  const known = memo.recallLongText(value);
  if (known !== undefined && known.key === key) {
    return knownNode(known.chunk, header, () => textNodes(value));
  }
  const node = containerNode(header, textNodes(value));
  memo.rememberLongText(value, { chunk: node.chunk, key });
  return node;
}

function objectItem(value: object, key: string | null, depth: number, memo: Memo): Item {
  const known = memo.recall(value);
  // At another depth, what was one piece may have to be cut.
  if (known !== undefined && (isMessage(known) || !mustCut(known, depth))) {
    if (known.key === key) return known;
    return remembered(value, rekeyedPiece(known, key), memo);
  }
  const isLive = isLiveContainer(value);
  if (isLive && mayCut(value, Number.POSITIVE_INFINITY, depth)) {
    const flat = memo.recallFlat(value);
    if (flat !== undefined && flat.key === key) {
      const header = containerHeader(kindOf(value), key);
      return knownNode(flat.chunk, header, () => liveNodes(flat.content, depth + 1, memo));
    }
    if (isSurelyLonger(value, limitOf(value))) return liveContainer(value, key, depth, memo);
  }
  const wire = convertPart(value, "state", depth + 1);
  const text = JSON.stringify(wire);
  if (!mayCut(wire, text.length, depth) || !isWireContainer(wire)) {
    return remembered(value, writtenPiece(wire, key, text), memo);
  }
  return isLive ? liveContainer(value, key, depth, memo) : wireContainer(wire, key, depth);
}

function liveContainer(
  container: LiveContainer,
  key: string | null,
  depth: number,
  memo: Memo,
): TreeNode {
  const header = containerHeader(kindOf(container), key);
  const node = containerNode(header, liveNodes(container, depth + 1, memo));
  memo.rememberContainer(container, key, node.chunk);
  return node;
}

function remembered(value: object, piece: Piece, memo: Memo): Piece {
  memo.remember(value, piece);
  return piece;
}
