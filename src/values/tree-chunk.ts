import { CorruptCheckpointError } from "../errors.ts";
import { type Chunk, type ChunkId, chunkId } from "./chunk.ts";
import type { MessageRun } from "./message-run.ts";
import { entryText, type Piece, parsedPiece } from "./piece.ts";
import { parseWire } from "./serialize.ts";
import type { Wire } from "./wire.ts";

/** A leaf's element: a piece, or a primitive that is not worth one. */
export type LeafElement = Piece | Exclude<Wire, object>;

/** A leaf's content, parsed. `keys` is null for a run of an array's elements. */
export interface LeafContent {
  readonly keys: readonly string[] | null;
  readonly elements: readonly LeafElement[];
  readonly arePrimitives: boolean;
}

const OVERHEAD = 300;
/** An id, its place among the ids and, where the chunks are looked up, among those, and in a run of messages. */
const BYTES_PER_CHILD = 120;

/**
 * A chunk in memory: what an encoded value consists of and what the chunk cache keeps. One class
 * for both, so that a chunk that was put is read back without being parsed, and what was read is
 * put again without being hashed.
 *
 * Nothing in it is ever handed out: readers get copies of what a leaf holds.
 */
export class TreeChunk {
  #payload: string | null;
  #content: LeafContent | null;

  // Declared and not defined, because a first read makes thousands before they are compiled. What every put looks at
  // comes first: of a thousand leaves, each is fetched from memory anew.

  /** Of a leaf with one element and no key, that element, once it is known: what most leaves of a long list are. */
  declare only: Piece | null;
  declare readonly id: ChunkId;
  /** Whether an index node may be closed after it, once somebody has asked. */
  declare mayClose: boolean | null;
  declare readonly children: readonly ChunkId[] | null;
  /**
   * The index node that last began with this chunk: while its other children are the same, so is its id. Held weakly,
   * because it leads to the messages below it, and so on: from one message to all that it ever stood beside.
   */
  declare parent: WeakRef<TreeChunk> | null;
  /**
   * The messages below an index node; null if it is not closed or has other things below it, undefined until somebody
   * looked.
   */
  declare messages: MessageRun | null | undefined;
  /** The container that last began with this chunk. */
  declare container: TreeChunk | null;
  /**
   * Of a container or long text, whether this process would cut it just so. What it has read may have been cut by other
   * numbers, and must not be sent as something that it is not.
   */
  declare isOwnCut: boolean;
  /** About how many bytes it keeps alive. */
  declare readonly size: number;
  /** Characters of its payload. */
  declare readonly length: number;
  /** Characters of its payload and of all below it, once somebody has counted them. */
  declare weight: number | null;

  constructor(chunk: Chunk, content: LeafContent | null = null) {
    const length = chunk.payload?.length ?? 0;
    this.#payload = chunk.payload;
    this.#content = content;
    this.only = content === null ? null : onlyElement(content);
    this.id = chunk.id;
    this.mayClose = null;
    this.children = chunk.children;
    this.parent = null;
    this.messages = undefined;
    this.container = null;
    this.isOwnCut = false;
    this.size = OVERHEAD + 2 * length + BYTES_PER_CHILD * (chunk.children?.length ?? 0);
    this.length = length;
    this.weight = null;
  }

  /** The row to store. */
  body(): Chunk {
    const payload = this.#payload ?? (this.#content === null ? null : leafText(this.#content));
    // The text of a leaf is wanted once, when it is sent. After that its content is enough.
    if (this.#content !== null) this.#payload = null;
    return { id: this.id, payload, children: this.children };
  }

  cached(): this {
    return this;
  }

  /** What the leaf holds; parsed once. */
  content(): LeafContent {
    if (this.#content === null) {
      this.#content = parseLeaf(this, this.#payload);
      this.#payload = null;
      this.only = onlyElement(this.#content);
    }
    return this.#content;
  }

  /** The slice of a long text that the leaf holds; parsed each time, because the text is kept instead. */
  slice(): string {
    const wire = this.#payload === null ? null : parseWire(this.#payload);
    if (typeof wire === "string") return wire;
    throw new CorruptCheckpointError(`chunk ${this.id} is no slice of a text`);
  }

  /** The header of a container, or null for an index node. */
  get header(): string | null {
    return this.#payload;
  }
}

/** A leaf of these entries, in this order. */
export function leafChunk(content: LeafContent, text: string): TreeChunk {
  const payload = content.keys === null ? `[${text}]` : `{${text}}`;
  return new TreeChunk({ id: chunkId(payload, null), payload, children: null }, content);
}

/** A leaf of which only the text is known so far. */
export function textLeaf(isList: boolean, text: string): TreeChunk {
  const payload = isList ? `[${text}]` : `{${text}}`;
  return new TreeChunk({ id: chunkId(payload, null), payload, children: null });
}

/** A slice of a long text. */
export function sliceLeaf(slice: string): TreeChunk {
  const payload = JSON.stringify(slice);
  return new TreeChunk({ id: chunkId(payload, null), payload, children: null });
}

/** An index node, or with a header a container. */
export function nodeChunk(header: string | null, children: readonly ChunkId[]): TreeChunk {
  return new TreeChunk({ id: chunkId(header, children), payload: header, children });
}

function onlyElement({ keys, elements }: LeafContent): Piece | null {
  const [first] = elements;
  const isOnly = keys === null && elements.length === 1;
  return isOnly && typeof first === "object" ? first : null;
}

function leafText({ keys, elements }: LeafContent): string {
  const texts = elements.map((element, index) => {
    if (typeof element === "object" && element !== null) return entryText(element);
    const text = JSON.stringify(element);
    return keys === null ? text : `${JSON.stringify(keys[index])}:${text}`;
  });
  return keys === null ? `[${texts.join(",")}]` : `{${texts.join(",")}}`;
}

function parseLeaf(leaf: TreeChunk, payload: string | null): LeafContent {
  if (payload === null) throw new CorruptCheckpointError(`chunk ${leaf.id} is empty`);
  const wire = parseWire(payload);
  if (typeof wire !== "object" || wire === null) {
    throw new CorruptCheckpointError(`chunk ${leaf.id} is neither a list nor a set of entries`);
  }
  const keys = Array.isArray(wire) ? null : Object.keys(wire);
  const values = Array.isArray(wire) ? wire : Object.values(wire);
  if (values.length === 1) {
    const piece = parsedPiece(values[0] as Wire, keys?.[0] ?? null, payload.length - 2);
    piece.leaf = leaf;
    return { keys, elements: [piece], arePrimitives: false };
  }
  // Of primitives alone the parsed list is kept as it is: a copy is most of what reading many numbers needs.
  const arePrimitives = !values.some(isObject);
  const elements: readonly LeafElement[] = arePrimitives
    ? (values as Exclude<Wire, object>[])
    : values.map((value, index) =>
        isObject(value) ? parsedPiece(value, keys?.[index] ?? null, undefined) : value,
      );
  const [first] = elements;
  if (typeof first === "object" && first !== null) first.leaf = leaf;
  return { keys, elements, arePrimitives };
}

function isObject(wire: Wire): wire is Exclude<Wire, string | number | boolean | null> {
  return typeof wire === "object" && wire !== null;
}
