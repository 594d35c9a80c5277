import { type Given, type MessagePlan, type MessageShape, messagePlan } from "./message-plan.ts";
import { TREE } from "./parameters.ts";
import type { TreeChunk } from "./tree-chunk.ts";
import type { Wire } from "./wire.ts";

/**
 * An element of an array or an entry of an object, as it was when it was last encoded or decoded:
 * the remembered snapshot that a later value is compared with.
 */
export interface Piece {
  /** Its JSON form. Private: never handed out, never changed. */
  readonly wire: Wire;
  /** The key of an entry; null for an element. */
  readonly key: string | null;
  /** The length of its text, key included; measured when it is first needed. */
  length: number | undefined;
  /** Its text, key included, kept only while it is short enough to share a leaf. */
  text: string | null;
  /** The hash that decides whether a shared leaf ends here; computed when it is first needed. */
  boundary: number | undefined;
  /** The leaf that begins with it, the last time it was encoded. */
  leaf: TreeChunk | null;
  /** How it is revived and compared, if it is a message: a {@link MessagePlan}, worked out when it is first needed. */
  shape: MessageShape | null | undefined;
  given: Given;
}

/** A piece that is known to be a message. */
export type MessagePiece = Piece & MessagePlan;

/** A piece of a value that was just written as `text`, which does not include the key. */
export function writtenPiece(wire: Wire, key: string | null, text: string): Piece {
  const entry = key === null ? text : `${JSON.stringify(key)}:${text}`;
  return piece(wire, key, entry.length, entry);
}

/** A piece of a stored leaf. */
export function parsedPiece(wire: Wire, key: string | null, length: number | undefined): Piece {
  return piece(wire, key, length, null);
}

const NONE: Given = {};

// One place makes them all, so that they are all alike to the compiler.
function piece(
  wire: Wire,
  key: string | null,
  length: number | undefined,
  text: string | null,
): Piece {
  return {
    shape: undefined,
    given: NONE,
    key,
    length,
    leaf: null,
    wire,
    text,
    boundary: undefined,
  };
}

/** The same value under another key. */
export function rekeyedPiece({ wire }: Piece, key: string | null): Piece {
  return writtenPiece(wire, key, JSON.stringify(wire));
}

export function isMessage(piece: Piece): piece is MessagePiece {
  if (piece.shape === undefined) {
    const plan = messagePlan(piece.wire);
    piece.shape = plan === null ? null : plan.shape;
    if (plan !== null) piece.given = plan.given;
  }
  return piece.shape !== null;
}

/** The length of the piece's text, key included. */
export function lengthOf(piece: Piece): number {
  if (piece.length === undefined) {
    const text = entryText(piece);
    piece.length = text.length;
    if (text.length < TREE.ownLeaf) piece.text = text;
  }
  return piece.length;
}

/** The piece's text, key included. */
export function entryText(piece: Piece): string {
  if (piece.text !== null) return piece.text;
  const text = JSON.stringify(piece.wire);
  return piece.key === null ? text : `${JSON.stringify(piece.key)}:${text}`;
}
