import type { LiveContainer } from "./containers.ts";
import type { TreeChunk } from "./tree-chunk.ts";
import { setEntry } from "./wire.ts";

/**
 * A container of primitives only, as it was when its chunk was made: an embedding, a map of texts.
 * Its elements have no identity of their own to be remembered by, so the container is.
 */
export interface Flat {
  readonly chunk: TreeChunk;
  readonly key: string | null;
  /** A copy of the container. Private. */
  readonly content: LiveContainer;
}

/** The flat container, or undefined if it holds an object. */
export function flatOf(
  container: LiveContainer,
  key: string | null,
  chunk: TreeChunk,
): Flat | undefined {
  if (Array.isArray(container)) {
    return container.every(isPrimitive) ? { chunk, key, content: container.slice() } : undefined;
  }
  const content = {};
  for (const name of Object.keys(container)) {
    if (!isPrimitive(container[name])) return undefined;
    setEntry(content, name, container[name]);
  }
  return { chunk, key, content };
}

/** Whether the container still holds the same, in the same order. */
export function isStill(container: LiveContainer, { content }: Flat): boolean {
  if (Array.isArray(container)) {
    if (!Array.isArray(content) || container.length !== content.length) return false;
    for (let index = 0; index < container.length; index += 1) {
      if (!Object.is(container[index], content[index])) return false;
    }
    return true;
  }
  if (Array.isArray(content)) return false;
  const keys = Object.keys(content);
  let index = 0;
  for (const key in container) {
    if (keys[index] !== key || !Object.is(container[key], content[key])) return false;
    index += 1;
  }
  return index === keys.length;
}

function isPrimitive(value: unknown): boolean {
  return typeof value !== "function" && (typeof value !== "object" || value === null);
}
