/** Long texts, cut into slices: a document that grows or is edited shares what it was before. */
import { grouped, type TreeNode } from "./branches.ts";
import { TREE } from "./parameters.ts";
import { sliceLeaf } from "./tree-chunk.ts";

export function isLongText(value: unknown): value is string {
  return typeof value === "string" && value.length > TREE.textLimit;
}

/** The nodes at the top of a text's tree. */
export function textNodes(text: string): TreeNode[] {
  const leaves: TreeNode[] = [];
  for (let start = 0; start < text.length; ) {
    const end = endOfSlice(text, start);
    leaves.push(sliceLeaf(text.slice(start, end)));
    start = end;
  }
  return grouped(leaves);
}

/** How far back the hash looks: one bit is shifted out with each character. */
const WINDOW = 32;
const BITS = Math.log2(TREE.meanSlice);

/**
 * Where the slice that begins at `start` ends. It depends on the characters next to it, not on how far
 * they are from the text's beginning, so an edit moves the boundaries next to it and no others.
 */
function endOfSlice(text: string, start: number): number {
  const most = Math.min(text.length, start + TREE.maxSlice);
  const least = start + TREE.minSlice;
  let hash = 0;
  for (let at = least - WINDOW; at < most; at += 1) {
    const code = text.charCodeAt(at);
    hash = (hash << 1) + (SPREAD[(code ^ (code >> 8)) & 255] as number);
    if (at >= least && hash >>> (32 - BITS) === 0) return wholeCharacter(text, at + 1);
  }
  return wholeCharacter(text, most);
}

/** Not between the halves of a surrogate pair: escaped, they take three times their size. */
function wholeCharacter(text: string, end: number): number {
  return (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 && end < text.length ? end + 1 : end;
}

/** 32 bits for each of 256 values. */
const SPREAD: Int32Array = Int32Array.from({ length: 256 }, (_, value) => {
  let bits = Math.imul(value + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
});
