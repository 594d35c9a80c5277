/** Keys come from the environment: an argument would be seen by all who list processes. */
import { InvalidOptionError } from "../errors.ts";
import type { EncryptionOptions } from "../options.ts";

export const KEYS = "LANGGRAPH_POSTGRES_KEYS";
const PLAIN_METADATA = "LANGGRAPH_POSTGRES_PLAIN_METADATA";

/** `id:base64,id2:base64`, the first of which writes; undefined where there are none. */
export function encryptionFrom(
  env: NodeJS.ProcessEnv,
  allowPlaintext: boolean,
): EncryptionOptions | undefined {
  const text = env[KEYS]?.trim();
  if (!text) return undefined;
  const keys = text.split(",").map((one) => {
    const [, id, key] = /^\s*([^:]+):(.+?)\s*$/s.exec(one) ?? [];
    if (id !== undefined && key !== undefined) return { id, key };
    throw new InvalidOptionError(
      `${KEYS} must be ids and keys, the one that writes first: "2026-07:<base64>,2026-01:<base64>".`,
    );
  });
  const listed = env[PLAIN_METADATA]?.split(",").map((name) => name.trim()) ?? [];
  return { keys, allowPlaintext, plainMetadata: listed.filter((name) => name !== "") };
}
