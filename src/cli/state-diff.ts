/** What is different between two states, by the path to it. */

export interface Change {
  /** `messages[4].content` */
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Compares plain data. Lists are compared place by place, as most grow at their end. */
export function stateDiff(before: unknown, after: unknown, path = ""): Change[] {
  if (Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, i) => i).flatMap((i) =>
      entry(before, after, i < before.length, i < after.length, i, `${path}[${i}]`),
    );
  }
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => {
      const name = /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? key : JSON.stringify(key);
      const to = path === "" ? name : name.startsWith('"') ? `${path}[${name}]` : `${path}.${name}`;
      return entry(before, after, Object.hasOwn(before, key), Object.hasOwn(after, key), key, to);
    });
  }
  return [{ path, kind: "changed", before, after }];
}

function entry(
  before: object,
  after: object,
  had: boolean,
  has: boolean,
  key: string | number,
  path: string,
): Change[] {
  const [old, now] = [before[key as never] as unknown, after[key as never] as unknown];
  if (!had) return [{ path, kind: "added", after: now }];
  if (!has) return [{ path, kind: "removed", before: old }];
  return stateDiff(old, now, path);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
