import { setTimeout as sleep } from "node:timers/promises";

/** Asks again and again until the answer is true; fails with `what` after `ms`. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  ms = 25_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(5);
  }
}
