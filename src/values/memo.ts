import type { LiveContainer } from "./containers.ts";
import { type Flat, flatOf, isStill } from "./flat.ts";
import { matches, matchesPlan } from "./matches.ts";
import { MEMO } from "./parameters.ts";
import { type Piece, planOf } from "./piece.ts";
import { privateSlot } from "./private-slot.ts";
import type { TreeChunk } from "./tree-chunk.ts";

/**
 * Remembers the pieces that values were last encoded as or decoded from. It is only ever a memory:
 * what it returns was compared with the value as it is now, so forgetting costs time and nothing
 * else.
 */
export interface Memo {
  /** The piece that the value still is, to the last byte; undefined if it changed or is unknown. */
  recall(value: object): Piece | undefined;
  recallText(value: string): Piece | undefined;
  /** The same for a container of primitives, which is not a piece but a chunk with others below. */
  recallFlat(value: LiveContainer): Flat | undefined;
  remember(value: object, piece: Piece): void;
  /** Remembers the container if it holds primitives only. */
  rememberContainer(value: LiveContainer, key: string | null, chunk: TreeChunk): void;
  rememberText(value: string, piece: Piece): void;
}

const pieces = privateSlot<Piece>();
const flats = privateSlot<Flat>();

export function createMemo(): Memo {
  // Texts cannot be held weakly. Two generations bound what is held and forget the unused first.
  let texts = new Map<string, Piece>();
  let olderTexts = new Map<string, Piece>();
  let held = 0;

  const rememberText = (value: string, piece: Piece): void => {
    if (value.length > MEMO.textGeneration) return;
    if (!texts.has(value)) held += value.length;
    texts.set(value, piece);
    if (held <= MEMO.textGeneration) return;
    olderTexts = texts;
    texts = new Map();
    held = 0;
  };

  return {
    recall(value) {
      const piece = pieces.get(value);
      if (piece === undefined) return undefined;
      const plan = planOf(piece);
      const isSame = plan === null ? matches(value, piece.wire) : matchesPlan(value, plan);
      return isSame ? piece : undefined;
    },
    remember(value, piece) {
      pieces.set(value, piece);
    },
    recallFlat(value) {
      const flat = flats.get(value);
      return flat !== undefined && isStill(value, flat) ? flat : undefined;
    },
    rememberContainer(value, key, chunk) {
      const flat = flatOf(value, key, chunk);
      if (flat !== undefined) flats.set(value, flat);
    },
    recallText(value) {
      const piece = texts.get(value);
      if (piece !== undefined) return piece;
      const older = olderTexts.get(value);
      if (older !== undefined) rememberText(value, older);
      return older;
    },
    rememberText,
  };
}
