/** Calls that remove, and what happens to threads by itself. */
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { type Client, noting, type Setting } from "./client.ts";
import { type Model, NO_THREAD } from "./oracle.ts";

export async function deleteThread(
  setting: Setting,
  client: Client,
  thread: string,
): Promise<void> {
  await noting(
    setting,
    thread,
    "deleteThread",
    () => client.saver.deleteThread(thread),
    () => () => NO_THREAD,
  );
}

/** Planned at one moment, carried out at a later one: what was put in between is spared. */
export async function pruneThread(setting: Setting, client: Client, thread: string): Promise<void> {
  const keep = setting.random.between(1, 2);
  const name = `prune ${setting.turn()} ${client.store}`;
  await noting(
    setting,
    thread,
    `prune to ${keep}`,
    () => prune(client.storage, { threads: [thread], keepLast: keep }),
    () => [
      (model) => ({ ...model, plans: { ...model.plans, [name]: doomedIn(model, keep) } }),
      ({ plans: { [name]: doomed = [], ...plans }, checkpoints, writes }) => ({
        plans,
        checkpoints: checkpoints.filter(({ id }) => !doomed.includes(id)),
        writes: Object.fromEntries(
          Object.entries(writes).filter(
            ([place]) => !doomed.includes((JSON.parse(place) as string[])[1] ?? ""),
          ),
        ),
      }),
    ],
  );
}

function doomedIn({ checkpoints }: Model, keep: number): string[] {
  const newest = (namespace: string) =>
    checkpoints.filter((one) => one.namespace === namespace).slice(-keep);
  return checkpoints.filter((one) => !newest(one.namespace).includes(one)).map(({ id }) => id);
}

export async function pruneAway(setting: Setting, client: Client, thread: string): Promise<void> {
  await noting(
    setting,
    thread,
    "prune away",
    () => prune(client.storage, { threads: [thread], strategy: "delete" }),
    () => () => NO_THREAD,
  );
}

export async function threadExpires(
  setting: Setting,
  client: Client,
  thread: string,
): Promise<void> {
  await noting(
    setting,
    thread,
    "the thread expires",
    () =>
      setting.sql(
        client,
        "UPDATE :schema.checkpoints_threads SET expires_at = now() - interval '1 h' WHERE thread_id = $1",
        [thread],
      ),
    () => () => NO_THREAD,
  );
}

export async function checkpointExpires(
  setting: Setting,
  client: Client,
  thread: string,
): Promise<void> {
  const known = setting.record.known.get(thread) ?? [];
  if (known.length === 0) return;
  const { id } = setting.random.pick(known);
  await noting(
    setting,
    thread,
    `checkpoint ${id} expires`,
    () =>
      setting.sql(
        client,
        "UPDATE :schema.checkpoints SET expires_at = now() - interval '1 h' WHERE thread_id = $1 AND checkpoint_id = $2",
        [thread, id],
      ),
    () => (model) => ({
      ...model,
      checkpoints: model.checkpoints.filter((one) => one.id !== id),
    }),
  );
}

/** Of all threads; what it removes nobody sees any more. */
export async function cleanup(setting: Setting, client: Client, thread: string): Promise<void> {
  await noting(
    setting,
    thread,
    "cleanup",
    () => cleanupExpired(client.storage),
    () => (model) => model,
  );
}
