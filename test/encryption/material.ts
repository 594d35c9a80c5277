/** Keys, and values that show where they are. */
import { createHash } from "node:crypto";
import type { EncryptionOptions } from "../../src/index.ts";

/** The key of that id; always the same. */
function keyOf(id: string): { id: string; key: Buffer } {
  return { id, key: createHash("sha256").update(`test key ${id}`).digest() };
}

/** Encryption under these keys, the first of which writes. */
export function under(ids: readonly string[], more: Partial<EncryptionOptions> = {}) {
  return { encryption: { keys: ids.map(keyOf), ...more } };
}

/** A list large enough for a tree with index nodes; each element holds the mark. A clear store compresses the first. */
export function marked(mark: string, count = 60): { i: number; text: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    i,
    text: `${mark} ${i} `.repeat(i === 0 ? 400 : 40),
  }));
}
