/**
 * Sealing bytes to the place where they are stored, and opening them there and nowhere else:
 *
 * ```text
 * 01 | length of key id | key id | fingerprint (4) | nonce (12) | AES-256-GCM ciphertext | tag (16)
 * ```
 *
 * The thread and the place are authenticated with it. Each thread has keys of its own, derived from
 * the master key: so random nonces never come near their limit of 2^32 a key, and equal contents of
 * two threads cannot be recognised.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { dropOldest } from "../drop-oldest.ts";
import { CorruptCheckpointError, DecryptionError } from "../errors.ts";
import type { EncryptionOptions } from "../options.ts";
import { derive, FINGERPRINT_BYTES, type MasterKey, resolveEncryption } from "./keys.ts";

/** Where a row stands in its thread. All of it is authenticated. */
export interface Place {
  /** What kind of row it is, for errors too. */
  readonly kind: "value" | "write" | "checkpoint" | "chunk";
  /** The row's key in its table. */
  readonly key: readonly string[];
  /** Columns in the clear that must not be exchanged either. */
  readonly beside: readonly (string | null)[];
}

export interface Opened {
  readonly bytes: Buffer;
  /** The id of the key that sealed it. */
  readonly key: string;
}

export interface Cipher {
  /** What everything begins with that the first key sealed. */
  readonly header: Buffer;
  /** The id of the key that seals. */
  readonly writes: string;
  readonly allowPlaintext: boolean;
  /** Metadata keys that lists may filter by. */
  readonly plainMetadata: readonly string[];
  seal(threadId: string, place: Place, plain: string | Uint8Array): Buffer;
  /**
   * @throws {DecryptionError} where none of the keys is the one that sealed it.
   * @throws {CorruptCheckpointError} where it was changed, or belongs somewhere else.
   */
  open(threadId: string, place: Place, sealed: Uint8Array): Opened;
  /** Ids of chunks (hashes of their content) as the database may see them, under the key named. */
  hideIds(threadId: string, key: string, ids: readonly string[]): string[];
  /** The ids that {@link hideIds} hid. */
  showIds(threadId: string, key: string, ids: readonly string[]): string[];
  /** A keyed hash: the same content has the same, and says nothing without the key. 16 bytes. */
  tag(threadId: string, content: string | Uint8Array): Buffer;
}

/** The first byte of all that is sealed. No JSON text begins with it. */
export const SEALED = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Threads whose keys are remembered: deriving them takes some 10 µs. */
const MAX_THREADS = 10_000;

interface ThreadKeys {
  readonly data: Buffer;
  readonly ids: Buffer;
  readonly tags: Buffer;
}

/** @throws {InvalidOptionError} for impossible options. */
export function createCipher(options: EncryptionOptions): Cipher {
  const { keys, allowPlaintext, plainMetadata } = resolveEncryption(options);
  const [first] = keys;
  const byId = new Map(keys.map((key) => [key.id, key]));
  const threads = new Map<string, ThreadKeys>();

  const keysOf = (threadId: string, id: string): ThreadKeys => {
    const name = `${id} ${threadId}`;
    const known = threads.get(name);
    if (known !== undefined) return known;
    const { bytes } = byId.get(id) as MasterKey;
    const all = derive(bytes, `thread ${threadId}`, 96);
    const made = {
      data: all.subarray(0, 32),
      ids: all.subarray(32, 64),
      tags: all.subarray(64),
    };
    threads.set(name, made);
    dropOldest(threads, MAX_THREADS);
    return made;
  };

  const header = headerOf(first);

  return {
    header,
    writes: first.id,
    allowPlaintext,
    plainMetadata,

    seal(threadId, place, plain) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keysOf(threadId, first.id).data, nonce);
      cipher.setAAD(placeBytes(threadId, place));
      const body = typeof plain === "string" ? cipher.update(plain, "utf8") : cipher.update(plain);
      const rest = cipher.final();
      return Buffer.concat([header, nonce, body, rest, cipher.getAuthTag()]);
    },

    open(threadId, place, sealed) {
      const id = keyIdOf(sealed);
      const key = id === undefined ? undefined : byId.get(id);
      if (id === undefined) throw changed(threadId, place);
      if (key === undefined) throw unknownKey(threadId, place, id);
      const start = 2 + id.length;
      const bodyStart = start + FINGERPRINT_BYTES + NONCE_BYTES;
      const bodyEnd = sealed.length - TAG_BYTES;
      if (bodyEnd < bodyStart) throw changed(threadId, place);
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
      const nonceStart = start + FINGERPRINT_BYTES;
      if (!bytes.subarray(start, nonceStart).equals(key.fingerprint)) {
        throw wrongKey(threadId, place, id);
      }
      const nonce = bytes.subarray(nonceStart, bodyStart);
      const decipher = createDecipheriv("aes-256-gcm", keysOf(threadId, id).data, nonce, {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(placeBytes(threadId, place));
      decipher.setAuthTag(bytes.subarray(bodyEnd));
      try {
        const opened = decipher.update(bytes.subarray(bodyStart, bodyEnd));
        const rest = decipher.final();
        return { bytes: rest.length === 0 ? opened : Buffer.concat([opened, rest]), key: id };
      } catch (error) {
        throw changed(threadId, place, error);
      }
    },

    hideIds(threadId, key, ids) {
      if (ids.length === 0) return [];
      const cipher = createCipheriv(...permutation(keysOf(threadId, key)));
      return idsOf(cipher.setAutoPadding(false).update(bytesOf(ids)));
    },

    showIds(threadId, key, ids) {
      if (ids.length === 0) return [];
      const decipher = createDecipheriv(...permutation(keysOf(threadId, key)));
      return idsOf(decipher.setAutoPadding(false).update(bytesOf(ids)));
    },

    tag: (threadId, content) =>
      createHmac("sha256", keysOf(threadId, first.id).tags)
        .update(content)
        .digest()
        .subarray(0, 16),
  };
}

/** The error of a store without keys that meets what is sealed. */
export function notConfigured(threadId: string): DecryptionError {
  return new DecryptionError(
    "DECRYPTION_FAILED",
    `Thread ${JSON.stringify(threadId)} is encrypted, and no key was configured. Pass encryption: { keys: […] }.`,
  );
}

/** The error of a store that reads encrypted rows only. */
export function plaintextRefused(threadId: string, place: Place): DecryptionError {
  return new DecryptionError(
    "PLAINTEXT_REFUSED",
    `${nameOf(threadId, place)}: it is not encrypted. Either it was stored before encryption was configured: then open the store with encryption: { allowPlaintext: true } and call reencrypt(). Or somebody without the key wrote it.`,
  );
}

function headerOf({ id, fingerprint }: MasterKey): Buffer {
  return Buffer.concat([Buffer.from([SEALED, id.length]), Buffer.from(id), fingerprint]);
}

/** The id of the key that sealed it; undefined where it is nothing sealed. */
function keyIdOf(sealed: Uint8Array): string | undefined {
  const length = sealed[1];
  if (sealed[0] !== SEALED || length === undefined || sealed.length < 2 + length) return undefined;
  return Buffer.from(sealed.buffer, sealed.byteOffset + 2, length).toString("latin1");
}

function placeBytes(threadId: string, { kind, key, beside }: Place): Buffer {
  return Buffer.from(JSON.stringify([kind, threadId, key, beside]));
}

/**
 * One block is one id, itself a hash: as a permutation of these AES is a keyed hash that can be
 * undone, so that a thread is rewritten row by row, whatever its trees look like.
 */
function permutation({ ids }: ThreadKeys): [string, Buffer, null] {
  return ["aes-256-ecb", ids, null];
}

function bytesOf(ids: readonly string[]): Buffer {
  return Buffer.from(ids.join("").replaceAll("-", ""), "hex");
}

function idsOf(bytes: Buffer): string[] {
  const hex = bytes.toString("hex");
  const ids: string[] = [];
  for (let at = 0; at < hex.length; at += 32) {
    ids.push(
      `${hex.slice(at, at + 8)}-${hex.slice(at + 8, at + 12)}-${hex.slice(at + 12, at + 16)}-${hex.slice(at + 16, at + 20)}-${hex.slice(at + 20, at + 32)}`,
    );
  }
  return ids;
}

function nameOf(threadId: string, { kind, key }: Place): string {
  const names = key.filter((one) => one !== "").map((one) => JSON.stringify(one));
  return `Thread ${JSON.stringify(threadId)}, ${kind} ${names.join(" ")}`;
}

function unknownKey(threadId: string, place: Place, id: string): DecryptionError {
  return new DecryptionError(
    "DECRYPTION_FAILED",
    `${nameOf(threadId, place)}: it is encrypted with the key ${JSON.stringify(id)}, which was not configured. Add that key to encryption.keys, behind the first.`,
  );
}

function wrongKey(threadId: string, place: Place, id: string): DecryptionError {
  return new DecryptionError(
    "DECRYPTION_FAILED",
    `${nameOf(threadId, place)}: it is encrypted with another key of the id ${JSON.stringify(id)} than the one that was configured. Configure the key that it was written with; a new key needs an id of its own.`,
  );
}

function changed(threadId: string, place: Place, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError(
    `${nameOf(threadId, place)}: what is stored there is not what was encrypted for that place. It was damaged, or moved from elsewhere.`,
    { cause },
  );
}
