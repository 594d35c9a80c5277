/** The keys that a store is given, checked at the door. No message ever holds one. */
import { hkdfSync } from "node:crypto";
import { InvalidOptionError } from "../errors.ts";
import { describe, type EncryptionOptions, refuseUnknownKeys } from "../options.ts";

export interface MasterKey {
  readonly id: string;
  readonly bytes: Buffer;
  /** Tells keys apart that have the same id: derived from the key, and of no use to find it. */
  readonly fingerprint: Buffer;
}

/** {@link EncryptionOptions}, checked and completed. */
export interface ResolvedEncryption {
  /** At least one; the first writes. */
  readonly keys: readonly [MasterKey, ...MasterKey[]];
  readonly allowPlaintext: boolean;
  readonly plainMetadata: readonly string[];
}

const KEY_BYTES = 32;
export const FINGERPRINT_BYTES = 4;
const OPTIONS = [
  "keys",
  "allowPlaintext",
  "plainMetadata",
] as const satisfies readonly (keyof EncryptionOptions)[];

/** @throws {InvalidOptionError} for what is unknown or impossible. */
export function resolveEncryption(options: EncryptionOptions): ResolvedEncryption {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionError(`encryption must be an object, got ${describe(options)}.`);
  }
  refuseUnknownKeys(options, OPTIONS, "encryption");
  const { keys, allowPlaintext = false, plainMetadata = [] } = options;
  if (typeof allowPlaintext !== "boolean") {
    throw new InvalidOptionError(
      `encryption.allowPlaintext must be true or false, got ${describe(allowPlaintext)}.`,
    );
  }
  if (!Array.isArray(plainMetadata) || !plainMetadata.every((key) => typeof key === "string")) {
    throw new InvalidOptionError("encryption.plainMetadata must be an array of metadata keys.");
  }
  const [first, ...others] = Array.isArray(keys) ? keys.map(masterKey) : [];
  if (first === undefined) {
    throw new InvalidOptionError(
      'encryption.keys must hold at least one key: [{ id: "2026-01", key: "…" }].',
    );
  }
  const ids = new Set([first, ...others].map(({ id }) => id));
  if (ids.size !== keys.length) {
    throw new InvalidOptionError(
      "encryption.keys holds two keys of one id: a new key needs a new id.",
    );
  }
  return { keys: [first, ...others], allowPlaintext, plainMetadata: [...plainMetadata] };
}

function masterKey(given: unknown, index: number): MasterKey {
  if (typeof given !== "object" || given === null) {
    throw new InvalidOptionError(`encryption.keys[${index}] must be an object { id, key }.`);
  }
  refuseUnknownKeys(given, ["id", "key"], `encryption.keys[${index}]`);
  const { id, key } = given as { readonly id?: unknown; readonly key?: unknown };
  if (typeof id !== "string" || !/^[\w.-]{1,32}$/.test(id)) {
    throw new InvalidOptionError(
      `encryption.keys[${index}].id must be 1 to 32 letters, digits, ".", "_" or "-".`,
    );
  }
  const bytes = keyBytes(key);
  if (bytes?.length !== KEY_BYTES) {
    throw new InvalidOptionError(
      `The key ${JSON.stringify(id)} must be ${KEY_BYTES} bytes: a Uint8Array, or these as base64 or as 64 hex digits. Make one with: openssl rand -base64 32`,
    );
  }
  const fingerprint = derive(bytes, "fingerprint", FINGERPRINT_BYTES);
  return { id, bytes, fingerprint };
}

function keyBytes(key: unknown): Buffer | undefined {
  // A copy: the caller may wipe or reuse its bytes.
  if (key instanceof Uint8Array) return Buffer.from(key);
  if (typeof key !== "string") return undefined;
  if (/^[0-9a-f]{64}$/i.test(key)) return Buffer.from(key, "hex");
  return /^[\w+/-]{43}=?$/.test(key) ? Buffer.from(key, "base64") : undefined;
}

/** HKDF-SHA-256 of the key, for one purpose. */
export function derive(key: Uint8Array, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", `langgraph-postgres ${purpose}`, length));
}
