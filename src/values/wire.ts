/** What JSON text holds: the form between a value and its text. */
export type Wire = null | boolean | number | string | Wire[] | WireObject;

/** An object of the wire form. Its keys are data: only own ones count. */
export interface WireObject {
  [key: string]: Wire;
}

/**
 * Sets an own property whatever the key is called. A plain assignment to `__proto__` would change
 * the object's prototype and lose the entry.
 */
export function setEntry(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

/** Whether the object is a plain one: made by `{}` or `Object.create(null)`. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
