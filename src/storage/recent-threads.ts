import { dropOldest } from "../drop-oldest.ts";

/** The threads that something was true of when it was last noticed. */
export interface RecentThreads {
  has(threadId: string): boolean;
  note(threadId: string, isTrue: boolean): void;
}

const MAX_REMEMBERED = 1000;

export function recentThreads(): RecentThreads {
  const threads = new Set<string>();
  return {
    has: (threadId) => threads.has(threadId),
    note(threadId, isTrue) {
      threads.delete(threadId);
      if (isTrue) threads.add(threadId);
      dropOldest(threads, MAX_REMEMBERED);
    },
  };
}
