/** Repeats something recorded as concurrently as it was, and no more. */

export interface Recorded {
  /** How many of the others had ended when this one began. It may depend on those, so it waits for them. */
  readonly after: number;
}

/** Works through `items`, which stand in the order in which they ended. */
export async function inOrder<Item extends Recorded>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const ended = items.map(signal);
  // The n-th promise is kept when the first n items have ended.
  const prefix = [Promise.resolve()];
  ended.forEach(({ promise }, index) => {
    prefix.push(promise.then(() => prefix[index]));
  });
  await Promise.all(
    items.map(async (item, index) => {
      await prefix[item.after];
      await work(item);
      ended[index]?.give();
    }),
  );
}

function signal(): { promise: Promise<void>; give: () => void } {
  let give = (): void => {};
  const promise = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}
