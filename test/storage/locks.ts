/** Locks on threads, held for longer than anything in this package holds one. */
import type { Engine } from "./engine.ts";

export type Unlock = () => Promise<void>;

/** Takes a lock, and returns how to let it go. `T` is the table of threads. */
export async function takeLock(
  { backend }: Engine,
  text: string,
  values: unknown[] = [],
): Promise<Unlock> {
  const client = await backend.pool.connect();
  await client.query({ text: "BEGIN" });
  await client.query({
    text: text.replace(/\bT\b/, `"${backend.schema}".checkpoints_threads`),
    values,
  });
  return async () => {
    await client.query({ text: "ROLLBACK" });
    client.release();
  };
}

export const lockThreads = (
  engine: Engine,
  threads: readonly string[],
  mode = "UPDATE",
): Promise<Unlock> =>
  takeLock(engine, `SELECT FROM T WHERE thread_id = ANY ($1) FOR ${mode}`, [threads]);

export const lockThread = (engine: Engine, thread: string, mode?: string): Promise<Unlock> =>
  lockThreads(engine, [thread], mode);
