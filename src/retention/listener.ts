/** A listener that throws must not end what it listens to. */
export function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch {
    // There is nobody else to tell.
  }
}
