import type { LiveContainer } from "./containers.ts";
import { type Flat, flatOf, isStill } from "./flat.ts";
import { matches, matchesMessage } from "./matches.ts";
import type { Given, MessageShape } from "./message-plan.ts";
import type { MessageRun } from "./message-run.ts";
import { MEMO } from "./parameters.ts";
import { isMessage, type Piece } from "./piece.ts";
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
  /** The run of messages that begins with this element of the list, if all of them are still the same. */
  recallRun(list: readonly unknown[], at: number): MessageRun | undefined;
  recallText(value: string): Piece | undefined;
  /** The same for a text that is cut into slices. */
  recallLongText(value: string): LongText | undefined;
  /** The same for a container of primitives, which is not a piece but a chunk with others below. */
  recallFlat(value: LiveContainer): Flat | undefined;
  remember(value: object, piece: Piece): void;
  /** Remembers the container if it holds primitives only. */
  rememberContainer(value: LiveContainer, key: string | null, chunk: TreeChunk): void;
  rememberText(value: string, piece: Piece): void;
  rememberLongText(value: string, text: LongText): void;
}

/** The chunk above a long text's slices, and the key that it stands under. */
export interface LongText {
  readonly chunk: TreeChunk;
  readonly key: string | null;
}

const pieces = privateSlot<Piece>();
const flats = privateSlot<Flat>();

export function createMemo(): Memo {
  const texts = byText<Piece>();
  const longTexts = byText<LongText>();
  return {
    recall(value) {
      const piece = pieces.get(value);
      if (piece === undefined) return undefined;
      const isSame = isMessage(piece)
        ? matchesMessage(value, piece.shape, piece.given)
        : matches(value, piece.wire);
      return isSame ? piece : undefined;
    },
    recallRun(list, at) {
      const first = list[at];
      if (typeof first !== "object" || first === null) return undefined;
      const run = pieces.get(first)?.leaf?.parent?.deref()?.messages;
      if (!run || list.length - at < run.shapes.length) return undefined;
      const { shapes, givens } = run;
      for (let index = 0; index < shapes.length; index += 1) {
        const shape = shapes[index] as MessageShape;
        if (!matchesMessage(list[at + index], shape, givens[index] as Given)) return undefined;
      }
      return run;
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
    recallText: texts.get,
    recallLongText: longTexts.get,
    rememberText: texts.set,
    rememberLongText: longTexts.set,
  };
}

/** Texts cannot be held weakly. Two generations bound what is held and forget the unused first. */
function byText<T>(): { get(text: string): T | undefined; set(text: string, about: T): void } {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  let held = 0;

  const set = (text: string, about: T): void => {
    if (text.length > MEMO.textGeneration) return;
    if (!young.has(text)) held += text.length;
    young.set(text, about);
    if (held <= MEMO.textGeneration) return;
    old = young;
    young = new Map();
    held = 0;
  };
  return {
    get(text) {
      const about = young.get(text);
      if (about !== undefined) return about;
      const older = old.get(text);
      if (older !== undefined) set(text, older);
      return older;
    },
    set,
  };
}
