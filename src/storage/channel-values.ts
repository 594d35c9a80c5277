/** Channel values on their way into rows: serialised once, synchronously, and cut into chunks. */
import { hash } from "node:crypto";
import { InvalidConfigError } from "../errors.ts";
import { describe } from "../options.ts";
import type { CachedChunk, ChunkId, EncodedValue, ValueCodec } from "../values/codec.ts";
import { chunkLiteral } from "./chunk-ids.ts";
import type { ChunkRow, ValueRow } from "./columns.ts";
import { checkName, versionText } from "./names.ts";
import type { ThreadKnowledge } from "./thread-knowledge.ts";

/** One version of one channel, not serialised yet. */
export interface ChannelValue {
  readonly channel: string;
  readonly version: string | number;
  readonly value: unknown;
}

export interface EncodedChannel {
  readonly place: ChannelValue;
  readonly value: EncodedValue;
}

/**
 * Serialises before it returns, unless a user's serializer is asynchronous: the graph goes on and may
 * change what it handed over.
 */
export function encodeAll(
  codec: ValueCodec,
  values: readonly ChannelValue[],
): EncodedChannel[] | Promise<EncodedChannel[]> {
  const encoded = values.map((place) => ({
    place,
    value: codec.encode(place.value, `channel ${JSON.stringify(place.channel)}`),
  }));
  if (encoded.some(({ value }) => value instanceof Promise)) {
    return Promise.all(encoded.map(async ({ place, value }) => ({ place, value: await value })));
  }
  return encoded as EncodedChannel[];
}

/**
 * The chunks that the thread is not known to hold, as rows to send and as what will be remembered;
 * `spared` counts the characters of all others.
 */
export function newChunks(
  values: readonly EncodedChannel[],
  known: Pick<ThreadKnowledge, "has"> | undefined,
): { rows: Omit<ChunkRow, "n">[]; bodies: Map<ChunkId, CachedChunk>; spared: number } {
  const rows: Omit<ChunkRow, "n">[] = [];
  const bodies = new Map<ChunkId, CachedChunk>();
  const isStored = (id: ChunkId): boolean => known?.has(id) === true || bodies.has(id);
  let spared = 0;
  for (const { value } of values) {
    spared += value.length ?? 0;
    for (const chunk of value.unstored(isStored)) {
      const body = chunk.body();
      bodies.set(chunk.id, chunk.cached());
      spared -= body.payload?.length ?? 0;
      rows.push({
        chunk_id: body.id,
        payload: body.payload,
        children: chunkLiteral(body.children),
      });
    }
  }
  return { rows, bodies, spared };
}

/** The columns of a value, in a row of values as in a row of writes. */
export function valueColumns({
  place,
  value,
}: EncodedChannel): Pick<ValueRow, "channel" | "type" | "payload" | "chunks"> {
  return {
    channel: checkName("channel", place.channel),
    type: value.type,
    payload: value.payload,
    chunks: chunkLiteral(value.chunks),
  };
}

/**
 * A version made of what is stored, for values that bring none: the same content has the same
 * version, so an unchanged value adds no row. Base64 of 128 bits of SHA-256, or of what `digest` says.
 */
export function contentVersion(
  { type, payload, chunks }: EncodedValue,
  digest: (content: Buffer) => Buffer = sha256,
): string {
  const head = Buffer.from(`${type}\0${chunks?.join(",") ?? ""}\0`);
  const content = Buffer.concat([head, Buffer.from(payload ?? "")]);
  return digest(content).toString("base64url");
}

function sha256(content: Buffer): Buffer {
  return Buffer.from(hash("sha256", content, "hex").slice(0, 32), "hex");
}

/** Channel to version, as the JSON text that statements look versions up in. */
export function versionsJson(versions: Readonly<Record<string, string | number>>): string {
  const entries = Object.entries(versions).map(([channel, version]) => {
    checkVersion(channel, version);
    return `${JSON.stringify(checkName("channel", channel))}:${versionText(version)}`;
  });
  return `{${entries.join(",")}}`;
}

function checkVersion(channel: string, version: unknown): void {
  if (typeof version === "string" || Number.isFinite(version)) return;
  throw new InvalidConfigError(
    `channel_versions: the version of ${JSON.stringify(channel)} must be a string or a finite number, got ${describe(version)}.`,
  );
}
