/** Drops what has been in a map or set for longest, where it holds more than so many: what is remembered stays bounded. */
export function dropOldest<K>(remembered: Map<K, unknown> | Set<K>, most: number): void {
  if (remembered.size > most) remembered.delete(remembered.keys().next().value as K);
}
