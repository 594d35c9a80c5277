import { setTimeout as sleep } from "node:timers/promises";

/** Looks again and again how long somebody waits at the moment, in milliseconds, and keeps the longest. */
export function longestWait(look: () => Promise<number | null | undefined>): {
  stop(): Promise<number>;
} {
  let going = true;
  let longest = 0;
  const watching = (async () => {
    while (going) {
      longest = Math.max(longest, (await look()) ?? 0);
      await sleep(5);
    }
  })();
  return {
    async stop() {
      going = false;
      await watching;
      return longest;
    },
  };
}
