import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";

export interface HealthOptions {
  /** Connections to keep open, used or not. */
  readonly minConns: number;
  /** Milliseconds between two looks. */
  readonly period: number;
  /** Milliseconds after which an idle connection is closed. */
  readonly maxIdle: number;
}

/** How long an idle connection may take to answer, in milliseconds, before it counts as dead. */
const LEAST_PATIENCE = 1000;
const MOST_PATIENCE = 5000;

/**
 * Looks after the idle connections of a pool until it ends: asks each whether it is still alive,
 * closes dead and long idle ones, and opens as many as `minConns` says. A connection whose server
 * vanished without a goodbye looks alive until it is asked.
 *
 * The timer does not keep the process alive.
 */
export function keepHealthy(pool: pg.Pool, options: HealthOptions): void {
  // Not what `beforeAcquire` is put in front of later.
  const take = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  // Asking a connection restarts the pool's own clock for it, so a second one runs here.
  const usedAt = new WeakMap<pg.PoolClient, number>();
  const asked = new WeakSet<pg.PoolClient>();
  pool.on("release", (_error: unknown, client: pg.PoolClient) => {
    if (!asked.delete(client)) usedAt.set(client, performance.now());
  });

  const patience = Math.min(MOST_PATIENCE, Math.max(LEAST_PATIENCE, options.period));
  const look = async (): Promise<void> => {
    const now = performance.now();
    await Promise.allSettled(
      Array.from({ length: pool.idleCount }, async () => {
        const client = await take();
        asked.add(client);
        const idle = now - (usedAt.get(client) ?? now);
        const spare = pool.totalCount > options.minConns;
        const keep = !(spare && idle >= options.maxIdle) && (await isAlive(client, patience));
        client.release(!keep);
      }),
    );
    const missing = Math.max(0, options.minConns - pool.totalCount);
    await Promise.allSettled(
      Array.from({ length: pool.ending ? 0 : missing }, async () => {
        (await take()).release();
      }),
    );
  };

  let looking = false;
  const tick = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    await look().finally(() => {
      looking = false;
    });
  };
  const timer = setInterval(() => {
    if (pool.ending) clearInterval(timer);
    else void tick();
  }, options.period);
  timer.unref();
  if (options.minConns > 0) void tick();
}

async function isAlive(client: pg.PoolClient, patience: number): Promise<boolean> {
  const answered = new AbortController();
  const asked = client.query("SELECT 1").then(
    () => true,
    () => false,
  );
  const tooLate = sleep(patience, false, { signal: answered.signal }).catch(() => false);
  try {
    return await Promise.race([asked, tooLate]);
  } finally {
    answered.abort();
  }
}
