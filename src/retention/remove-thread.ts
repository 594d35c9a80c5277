/** Removing a thread whole, with counts. */
import type { Executor } from "../postgres/database.ts";
import { countOf, type Freed, freedOf } from "./freed.ts";
import { removalStatements } from "./removal-statements.ts";
import { type Conditions, LONG_DEADLINE, lockThread, type Place } from "./round.ts";

/** What the thread held; undefined if there was none, or a condition kept it. */
export async function removeThread(
  place: Place,
  threadId: string,
  conditions: Conditions = {},
): Promise<Freed | undefined> {
  const { removeThread } = removalStatements(place.names);
  // What an attempt removed whose COMMIT was not answered: its repetition finds no thread.
  let attempted: Freed | undefined;
  const remove = async (tx: Executor): Promise<Freed | undefined> => {
    if ((await lockThread(tx, place, threadId, conditions)) === undefined) return attempted;
    // A statement of its own: it has to see what was committed while the lock was waited for.
    attempted = freedOf(await tx.execute(removeThread, [threadId]));
    return attempted;
  };
  return place.database.transaction(remove, { deadline: LONG_DEADLINE });
}

/** What {@link removeThread} would remove. */
export async function countThread(
  { database, names }: Place,
  threadId: string,
): Promise<Freed | undefined> {
  const rows = await database.execute(removalStatements(names).countThread, [threadId], {
    deadline: LONG_DEADLINE,
  });
  return countOf(rows, "threads") === 0 ? undefined : freedOf(rows);
}
