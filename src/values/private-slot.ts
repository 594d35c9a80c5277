/** Returns the object that it is given instead of one of its own, so that a subclass adds to that. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this is the point of it.
    return object;
  }
}

/**
 * Something remembered about an object, out of everybody's sight: a private field that is added to
 * the object itself. A WeakMap would do the same, but each entry costs more than the rest of
 * reading a message, and the garbage collector has to visit them all.
 */
export interface PrivateSlot<T> {
  /** What was last remembered about the object. */
  get(object: object): T | undefined;
  set(object: object, value: T): void;
}

/** One for each kind of thing that is remembered. */
export function privateSlot<T>(): PrivateSlot<T> {
  class Slot extends Given {
    #value: T;

    constructor(object: object, value: T) {
      super(object);
      this.#value = value;
    }

    static get(object: object): T | undefined {
      return #value in object ? object.#value : undefined;
    }

    static set(object: object, value: T): void {
      if (#value in object) {
        object.#value = value;
        return;
      }
      try {
        new Slot(object, value);
      } catch {
        // Later versions of JavaScript refuse it to frozen objects. Then nothing is remembered.
      }
    }
  }
  return Slot;
}
