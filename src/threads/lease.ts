/** One writer at a time on a thread, across processes. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ThreadConflictError } from "../errors.ts";
import { type Duration, parseDuration, refuseUnknownKeys } from "../options.ts";
import { checkThreadId } from "../storage/names.ts";
import type { Storage } from "../storage/storage.ts";
import { type LeaseStatements, leaseStatements } from "./lease-statements.ts";

/** How long a lease holds, and is waited for. */
export interface LeaseOptions {
  /** How long the lease holds without being renewed. Default `"30s"`. */
  readonly ttl?: Duration;
  /** How long to wait for a thread that another holds. Default: not at all. */
  readonly wait?: Duration;
}

/**
 * The right to write to a thread. It renews itself until it is released; whoever writes with its
 * `config` after it was lost gets {@link ThreadConflictError} and changes nothing.
 */
export interface Lease extends AsyncDisposable {
  /** The thread that may be written to. */
  readonly threadId: string;
  /** The fencing token: larger for every later holder of the thread. */
  readonly token: number;
  /** For `graph.invoke(input, lease.config)`. */
  readonly config: {
    /** The thread, and the proof of the right to write to it. */
    readonly configurable: {
      /** The thread. */
      readonly thread_id: string;
      /** {@link token}. */
      readonly lease_token: number;
    };
  };
  /** Aborts when the lease is found to be lost; pass it to the run to stop it early. */
  readonly lost: AbortSignal;
  /** Gives the thread free. Calling it again, or after the lease was lost, does nothing. */
  release(): Promise<void>;
}

const LEASE_OPTIONS = ["ttl", "wait"] as const satisfies readonly (keyof LeaseOptions)[];
/** The longest pause between two tries of a caller that waits, in milliseconds. */
const LONGEST_PAUSE = 250;

/**
 * Takes the lease on a thread, which need not exist yet.
 *
 * @throws {ThreadConflictError} if another holds it and goes on holding it for as long as `wait`.
 * @throws {InvalidOptionError} for unknown or impossible options.
 *
 * @example
 * ```ts
 * await using lease = await store.acquireThread("42", { ttl: "30s", wait: "5s" });
 * await graph.invoke(input, lease.config);
 * ```
 */
export async function acquireThread(
  storage: Pick<Storage, "database" | "names">,
  thread: string,
  options: LeaseOptions = {},
): Promise<Lease> {
  refuseUnknownKeys(options, LEASE_OPTIONS, "acquireThread");
  const threadId = checkThreadId(thread);
  const ttl = parseDuration(options.ttl ?? "30s", "ttl");
  const wait = options.wait === undefined ? 0 : parseDuration(options.wait, "wait");
  const statements = leaseStatements(storage.names);
  const owner = randomUUID();
  const giveUp = performance.now() + wait;
  for (;;) {
    const parameters = [threadId, randomUUID(), owner, Math.ceil(ttl)];
    const [row] = await storage.database.execute(statements.acquire, parameters);
    if (row) return held(storage, statements, threadId, Number(row[0]), ttl);
    const [holder] = await storage.database.execute(statements.remaining, [threadId]);
    const left = Number(holder?.[0] ?? 0);
    const patience = giveUp - performance.now();
    if (patience <= 0) {
      throw new ThreadConflictError(
        `Thread ${JSON.stringify(threadId)} is leased by another writer for ${left} ms more, unless it renews. Pass a longer wait, or try again later.`,
      );
    }
    // Random, so that several that wait do not come back all at once.
    await sleep(Math.min(patience, left + 1, LONGEST_PAUSE * (0.2 + 0.8 * Math.random())));
  }
}

function held(
  { database }: Pick<Storage, "database">,
  statements: LeaseStatements,
  threadId: string,
  token: number,
  ttl: number,
): Lease {
  const lost = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  let released: Promise<void> | undefined;
  let expires = performance.now() + ttl;

  const lose = (cause?: unknown): void => {
    clearInterval(timer);
    const reason = `The lease on thread ${JSON.stringify(threadId)} was lost.`;
    lost.abort(new ThreadConflictError(reason, cause === undefined ? {} : { cause }));
  };

  const renew = async (): Promise<void> => {
    const asked = performance.now();
    try {
      const rows = await database.execute(statements.renew, [threadId, token, Math.ceil(ttl)]);
      if (over) return;
      if (rows.length === 0) lose();
      else expires = asked + ttl;
    } catch (error) {
      // The server may be away for less than what is left of the lease; the next round tries again.
      if (!over && performance.now() >= expires) lose(error);
    }
  };

  // Two renewals may fail before the lease is over.
  timer = setInterval(() => void renew(), ttl / 3);
  timer.unref();

  const release = (): Promise<void> => {
    over = true;
    clearInterval(timer);
    released ??= database.execute(statements.release, [threadId, token]).then(() => {});
    return released;
  };
  return {
    threadId,
    token,
    config: { configurable: { thread_id: threadId, lease_token: token } },
    lost: lost.signal,
    release,
    [Symbol.asyncDispose]: release,
  };
}
