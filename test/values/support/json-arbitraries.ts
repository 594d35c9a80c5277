import fc, { type Arbitrary } from "fast-check";

export const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 10 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 10 }) },
  { weight: 1, arbitrary: fc.constantFrom("", "\0", "\\u0000", "\ud800", "a\udfffb", "\u2028") },
  { weight: 1, arbitrary: fc.string({ minLength: 200, maxLength: 1500 }) },
);

export const commonKey = fc.oneof(
  text,
  fc.constantFrom("constructor", "7", "-1", "toString", "a.b"),
);
export const hostileKey = fc.constantFrom(
  "__proto__",
  "lc",
  "type",
  "id",
  "kwargs",
  "args",
  "value",
  "__lc_escaped__",
  "lg_name",
);

/** An object whose entries are defined, not assigned: `__proto__` is one of them. */
export function objectOf(key: Arbitrary<string>, value: Arbitrary<unknown>): Arbitrary<object> {
  return fc.array(fc.tuple(key, value), { maxLength: 6 }).map((entries) => {
    const object = {};
    for (const [name, entry] of entries) {
      Object.defineProperty(object, name, {
        value: entry,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    }
    return object;
  });
}

export const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
);

/** What JSON holds. */
export const json: Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    objectOf(commonKey, tie("value")),
  ),
})).value;

/** One of these, made anew each time: a test may change what it gets. */
export function fresh(...makers: readonly (() => object)[]): Arbitrary<object> {
  return fc.constantFrom(...makers).map((make) => make());
}
