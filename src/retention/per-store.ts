import type { TableNames } from "../postgres/identifiers.ts";

/** Statements are texts with a store's table names in them: made once for each store, when first needed. */
export function perStore<T>(make: (names: TableNames) => T): (names: TableNames) => T {
  const made = new WeakMap<TableNames, T>();
  return (names) => {
    const known = made.get(names);
    if (known !== undefined) return known;
    const fresh = make(names);
    made.set(names, fresh);
    return fresh;
  };
}
