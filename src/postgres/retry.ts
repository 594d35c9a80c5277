import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "../errors.ts";
import type { Deadline } from "./deadline.ts";
import { isTransient } from "./failures.ts";
import { translate } from "./translate.ts";

/** Waits between attempts double from the first to the longest, in milliseconds. */
const FIRST_WAIT = 10;
const LONGEST_WAIT = 500;

/**
 * Runs `work` until it succeeds, fails for good, or the deadline has passed; then throws the last
 * error. Waits are random in length, so that many clients of a server that restarts do not come
 * back in step.
 */
export async function retrying<T>(
  deadline: Deadline,
  onRetry: () => void,
  work: () => Promise<T>,
): Promise<T> {
  let refusal: unknown;
  for (let longest = FIRST_WAIT; ; longest = Math.min(LONGEST_WAIT, longest * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error)) throw explained(error, refusal);
      const wait = longest * (0.5 + Math.random() / 2);
      if (wait >= deadline.left()) throw explained(error, refusal);
      refusal = error;
      await sleep(wait);
      onRetry();
    }
  }
}

/** That the deadline passed says little: what the attempt before it met is told with it. */
function explained(error: unknown, refusal: unknown): unknown {
  if (refusal === undefined || !(error instanceof DatabaseError) || error.cause !== undefined) {
    return error;
  }
  const { message } = translate(refusal, "The attempt before it");
  return new DatabaseError(error.code, `${error.message} ${message}`, { cause: refusal });
}
