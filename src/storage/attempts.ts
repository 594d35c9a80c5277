/** How often an operation is begun anew because its thread was pruned or recreated under it, and what is said then. */
import { ThreadConflictError } from "../errors.ts";

export const MAX_ATTEMPTS = 5;

/** `threadId` is undefined where one of several threads changed. */
export function changedTooOften(
  threadId: string | undefined,
  doing: "read" | "written to",
): ThreadConflictError {
  const thread = threadId === undefined ? "A thread" : `Thread ${JSON.stringify(threadId)}`;
  const nothing = doing === "read" ? "" : "; nothing was written";
  return new ThreadConflictError(
    `${thread} changed ${MAX_ATTEMPTS} times while it was ${doing}${nothing}. Try again.`,
  );
}
