import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { type Branch, chunkOf, idOf, type TreeNode } from "./branches.ts";
import type { ChunkId } from "./chunk.ts";
import { isLiveContainer, isWireContainer, kindOf } from "./containers.ts";
import { inDeltaSnapshot, type RootHeader, rootHeader } from "./headers.ts";
import { liveNodes, wireNodes } from "./items.ts";
import { isLongText, textNodes } from "./long-text.ts";
import type { Memo } from "./memo.ts";
import { TREE } from "./parameters.ts";
import type { EncodedChunk, EncodedValue } from "./stored-value.ts";
import { isSurelyLonger } from "./text-length.ts";
import { convertPart } from "./to-wire.ts";
import type { TreeChunk } from "./tree-chunk.ts";
import { locate, serializationError } from "./unserialisable.ts";

/**
 * Cuts values into chunks. What comes out is a pure function of the value, the same on every
 * machine; the memo only saves writing and hashing again what has not changed.
 */
export function createEncoder(memo: Memo): (value: unknown, place: string) => EncodedValue {
  return (value, place) => {
    // A copy: the caller may change its bytes before they are sent.
    if (value instanceof Uint8Array) return whole("bytes", new Uint8Array(value));
    try {
      return encodeRoot(value, memo);
    } catch (error) {
      throw serializationError(error, place);
    }
  };
}

const NO_CHUNKS: EncodedChunk[] = [];
const noneUnstored = (): EncodedChunk[] => NO_CHUNKS;

function whole(type: string, payload: string | Uint8Array): EncodedValue {
  return { type, payload, chunks: null, tree: NO_CHUNKS, unstored: noneUnstored };
}

function encodeRoot(value: unknown, memo: Memo): EncodedValue {
  if (!(value instanceof DeltaSnapshot)) return encodeContent(value, memo, false);
  try {
    return encodeContent(value.value, memo, true);
  } catch (error) {
    throw locate(error, "value");
  }
}

function encodeContent(content: unknown, memo: Memo, isDeltaSnapshot: boolean): EncodedValue {
  if (isLongText(content)) return treeOf({ kind: '"', isDeltaSnapshot }, textNodes(content));
  const isLive = isLiveContainer(content);
  const limit = TREE.inlineLimit - (isDeltaSnapshot ? inDeltaSnapshot("").length : 0);
  if (!isLive || !isSurelyLonger(content, limit)) {
    const wire = convertPart(content, "state");
    const text = JSON.stringify(wire);
    if (text.length <= limit || !isWireContainer(wire)) {
      return whole("json", isDeltaSnapshot ? inDeltaSnapshot(text) : text);
    }
    if (!isLive) return treeOf({ kind: kindOf(wire), isDeltaSnapshot }, wireNodes(wire, 0));
  }
  return treeOf({ kind: kindOf(content), isDeltaSnapshot }, liveNodes(content, 0, memo));
}

function treeOf(header: RootHeader, roots: readonly TreeNode[]): EncodedValue {
  let tree: EncodedChunk[] | undefined;
  return {
    type: "json",
    payload: rootHeader(header),
    chunks: roots.map(idOf),
    get tree() {
      tree ??= unstoredOf(roots, () => false);
      return tree;
    },
    unstored: (isStored) => unstoredOf(roots, isStored),
    get length() {
      return roots.reduce((sum, root) => sum + weightOf(root), 0);
    },
  };
}

/** Counted once for each node: the next value has most nodes of this one. */
function weightOf(node: TreeNode): number {
  const chunk = chunkOf(node);
  if (node === chunk) return chunk.length;
  chunk.weight ??= (node as Branch).below.reduce((sum, one) => sum + weightOf(one), chunk.length);
  return chunk.weight;
}

function unstoredOf(
  roots: readonly TreeNode[],
  isStored: (id: ChunkId) => boolean,
): EncodedChunk[] {
  const found: TreeChunk[] = [];
  const seen = new Set<ChunkId>();
  const visit = (nodes: readonly TreeNode[]): void => {
    for (const node of nodes) {
      const chunk = chunkOf(node);
      if (seen.has(chunk.id) || isStored(chunk.id)) continue;
      seen.add(chunk.id);
      if (node !== chunk) visit((node as Branch).below);
      found.push(chunk);
    }
  };
  visit(roots);
  return found;
}
