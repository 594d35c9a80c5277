import { isOrdinary, type LiveMessage, messageClassOf } from "./messages.ts";
import { isPlain } from "./wire.ts";

/**
 * Whether the JSON text of a plain value is certainly longer than `limit`. It looks at no more than
 * it needs, so that a large value is known to be large without being written. `false` promises
 * nothing.
 */
export function isSurelyLonger(value: unknown, limit: number): boolean {
  return remaining(value, limit) < 0;
}

/** What is left of the limit. Everything counts for no more than JSON text would. */
function remaining(value: unknown, limit: number): number {
  if (typeof value === "string") return limit - value.length - 2;
  if (typeof value !== "object" || value === null) return limit - 1;
  let left = limit - 2;
  if (Array.isArray(value)) {
    left -= value.length - 1;
    for (let index = 0; index < value.length && left >= 0; index += 1) {
      left = remaining(value[index], left);
    }
    return left;
  }
  if (!isPlain(value)) return limit - leastLength(value);
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return limit - 1;
  for (const key in value) {
    // Checked before going down: a circle would never come back up.
    left -= key.length + 3;
    if (left < 0) return left;
    left = remaining((value as Record<string, unknown>)[key], left);
  }
  return left;
}

// {"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessage"],"kwargs":{"content":…
const AROUND_CONTENT = 80;

/** Of an instance, toJSON may make as little as a digit, unless it is known what it makes. */
function leastLength(instance: object): number {
  const type = messageClassOf(Object.getPrototypeOf(instance));
  const message = instance as LiveMessage;
  if (type === undefined || !isOrdinary(message, type)) return 1;
  const { content } = message;
  return typeof content === "string" && Object.hasOwn(message.lc_kwargs, "content")
    ? AROUND_CONTENT + content.length
    : 1;
}
