import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { CorruptCheckpointError } from "../errors.ts";
import { rememberNode } from "./branches.ts";
import type { CachedChunk } from "./cached-chunk.ts";
import type { ChunkId } from "./chunk.ts";
import type { LiveContainer } from "./containers.ts";
import { type ObjectKind, parseContainerHeader, parseRootHeader } from "./headers.ts";
import { LongList } from "./long-list.ts";
import type { Memo } from "./memo.ts";
import type { Given, MessageShape } from "./message-plan.ts";
import type { MessageRun } from "./message-run.ts";
import { TREE } from "./parameters.ts";
import { isMessage, type MessagePiece } from "./piece.ts";
import { type Loads, revive, reviveMessage, withLoads } from "./revive.ts";
import { deserialize } from "./serialize.ts";
import type { ChunkSource, StoredValue } from "./stored-value.ts";
import type { LeafElement, TreeChunk } from "./tree-chunk.ts";
import { setEntry } from "./wire.ts";

/** The ids that `value` reaches, as far as `chunks` knows the way, and that `chunks` lacks. */
export function missingChunks(value: StoredValue, chunks: ChunkSource): ChunkId[] {
  const missing = new Set<ChunkId>();
  const seen = new Set<ChunkId>();
  const look = (chunk: CachedChunk): void => {
    if (chunk.children === null || seen.has(chunk.id)) return;
    seen.add(chunk.id);
    const run = chunks.below?.(chunk);
    if (run === undefined) visit(chunk.children);
    else if (!run.areLeaves) run.chunks.forEach(look);
  };
  const visit = (ids: readonly ChunkId[]): void => {
    for (const id of ids) {
      const chunk = chunks.get(id);
      if (chunk === undefined) missing.add(id);
      else look(chunk);
    }
  };
  if (value.chunks !== null) visit(value.chunks);
  return [...missing];
}

/**
 * The value, built anew: no two calls share an object. The memo learns which piece each object was
 * made from, so that putting it again costs a comparison.
 */
export function decodeValue(
  value: StoredValue,
  chunks: ChunkSource,
  memo: Memo,
): unknown | Promise<unknown> {
  const { type, payload, chunks: ids } = value;
  if (type === "bytes") return bytesOf(payload);
  if (type !== "json") {
    throw new CorruptCheckpointError(
      `type ${JSON.stringify(type)} needs the serializer that wrote it`,
    );
  }
  const text = typeof payload === "string" ? payload : Buffer.from(payload ?? []).toString("utf8");
  if (ids === null) return deserialize(text);
  const { kind, isDeltaSnapshot } = parseRootHeader(text);
  return withLoads((loads) => {
    const reading = { chunks, loads, memo };
    const content =
      kind === '"'
        ? textOf(ids, reading)
        : containerOf(kind, (target) => appendChunks(target, ids, reading));
    return isDeltaSnapshot ? new DeltaSnapshot(content) : content;
  });
}

function bytesOf(payload: StoredValue["payload"]): Uint8Array {
  if (typeof payload === "string") return new TextEncoder().encode(payload);
  // A Buffer was made of a row, for this; small ones share their memory. What was encoded here is kept by whoever
  // encoded it, and is none.
  return Buffer.isBuffer(payload) && payload.length === payload.buffer.byteLength
    ? new Uint8Array(payload.buffer)
    : new Uint8Array(payload ?? []);
}

interface Reading {
  readonly chunks: ChunkSource;
  readonly loads: Loads;
  readonly memo: Memo;
}

/** What chunks are read into. */
type Target = LongList | Record<string, unknown>;

function containerOf(kind: ObjectKind, fill: (target: Target) => void): LiveContainer {
  if (kind === "[") {
    const list = new LongList();
    fill(list);
    return list.end();
  }
  const content = {};
  fill(content);
  return content;
}

/** Slices put together. They are read from their leaves and not remembered: what is kept is the text. */
function textOf(ids: readonly ChunkId[], reading: Reading): string {
  const slices: string[] = [];
  const collect = (below: readonly ChunkId[]): void => {
    for (const id of below) {
      const chunk = chunkIn(reading, id);
      if (chunk.children === null || chunk.header !== null) slices.push(chunk.slice());
      else collect(chunk.children);
    }
  };
  collect(ids);
  return slices.join("");
}

function appendChunks(target: Target, ids: readonly ChunkId[], reading: Reading): void {
  for (const id of ids) appendChunk(target, chunkIn(reading, id), reading);
}

function chunkIn({ chunks }: Reading, id: ChunkId): TreeChunk {
  const chunk = chunks.get(id) as TreeChunk | undefined;
  if (chunk === undefined) throw new CorruptCheckpointError(`chunk ${id} is missing`);
  return chunk;
}

function appendChunk(target: Target, chunk: TreeChunk, reading: Reading): void {
  if (chunk.children === null) appendLeaf(target, chunk, reading);
  else if (chunk.header === null) appendBelow(target, chunk, reading);
  else appendContainer(target, chunk, chunk.header, reading);
}

function appendBelow(target: Target, chunk: TreeChunk, reading: Reading): void {
  if (chunk.messages && target instanceof LongList) {
    appendMessages(target, chunk.messages, reading);
    return;
  }
  const below = reading.chunks.below?.(chunk)?.chunks as TreeChunk[] | undefined;
  if (below === undefined) {
    appendChunks(target, chunk.children as readonly ChunkId[], reading);
    return;
  }
  for (const one of below) appendChunk(target, one, reading);
  if (chunk.messages === undefined && chunk.header === null) rememberNode({ chunk, below });
}

function appendMessages(
  target: LongList,
  { pieces, shapes, givens }: MessageRun,
  { loads, memo }: Reading,
): void {
  for (let index = 0; index < pieces.length; index += 1) {
    const piece = pieces[index] as MessagePiece;
    const shape = shapes[index] as MessageShape;
    const given = givens[index] as Given;
    const value = reviveMessage(shape, given, piece, loads);
    memo.remember(value, piece);
    target.push(value);
  }
}

function appendLeaf(target: Target, leaf: TreeChunk, reading: Reading): void {
  if (leaf.only !== null && target instanceof LongList) {
    target.push(fresh(leaf.only, reading));
    return;
  }
  const { keys, elements, arePrimitives } = leaf.content();
  if (target instanceof LongList) {
    if (keys !== null) throw misfit(leaf);
    if (arePrimitives) target.pushRun(elements);
    else for (const element of elements) target.push(fresh(element, reading));
  } else {
    if (keys === null) throw misfit(leaf);
    for (let index = 0; index < elements.length; index += 1) {
      setEntry(target, keys[index] as string, fresh(elements[index] as LeafElement, reading));
    }
  }
}

function fresh(element: LeafElement, { loads, memo }: Reading): unknown {
  if (typeof element !== "object" || element === null) return element;
  const value = isMessage(element)
    ? reviveMessage(element.shape, element.given, element, loads)
    : revive(element.wire, loads);
  if (typeof value === "object" && value !== null) memo.remember(value, element);
  else if (typeof value === "string" && value.length >= TREE.ownLeaf) {
    memo.rememberText(value, element);
  }
  return value;
}

function appendContainer(target: Target, chunk: TreeChunk, header: string, reading: Reading): void {
  const { kind, key } = parseContainerHeader(header);
  if (target instanceof LongList !== (key === null)) throw misfit(chunk);
  const content =
    kind === '"' ? longTextOf(chunk, key, reading) : containerBelow(chunk, kind, key, reading);
  if (target instanceof LongList) target.push(content);
  else setEntry(target, key as string, content);
}

function containerBelow(
  chunk: TreeChunk,
  kind: ObjectKind,
  key: string | null,
  reading: Reading,
): LiveContainer {
  const content = containerOf(kind, (target) => appendBelow(target, chunk, reading));
  reading.memo.rememberContainer(content, key, chunk);
  return content;
}

function longTextOf(chunk: TreeChunk, key: string | null, reading: Reading): string {
  const text = textOf(chunk.children as readonly ChunkId[], reading);
  reading.memo.rememberLongText(text, { chunk, key });
  return text;
}

function misfit({ id }: TreeChunk): CorruptCheckpointError {
  return new CorruptCheckpointError(`chunk ${id} does not fit where it is used`);
}
