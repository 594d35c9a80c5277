/** What is measured: savers under one face. */
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import pg from "pg";
import { storedBytes } from "../databases.ts";

/** In the order of the tables. */
export const PEER_NAMES = [
  "ours",
  "official",
  "memory",
  "references",
  "driver",
  "driver-each",
] as const;

export type PeerName = (typeof PEER_NAMES)[number];

export interface Peer {
  readonly name: PeerName;
  /** As the table and the plots call it. */
  readonly label: string;
  /** Whether another process can read what it stored. */
  readonly durable: boolean;
  /** Sets up what is missing in the database and warms the connections up. */
  open(url: string, wrap?: PoolWrapper): Promise<OpenSaver>;
}

/** Stands between a saver and its pool, to watch what it asks. */
export type PoolWrapper = (pool: pg.Pool) => pg.Pool;

export interface OpenSaver {
  readonly saver: BaseCheckpointSaver;
  /** Bytes that it keeps; undefined where it keeps none of its own. */
  bytes(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** The same for every saver that has a pool. */
const POOL_SIZE = 10;

interface ServerSaver extends BaseCheckpointSaver {
  setup(): Promise<void>;
  end(): Promise<void>;
}

/** A saver on a pool of {@link POOL_SIZE} connections that are open before the clock starts. */
export async function openOnPool(
  url: string,
  create: (pool: pg.Pool) => ServerSaver,
  wrap: PoolWrapper = (pool) => pool,
): Promise<OpenSaver> {
  const pool = await openPool(url);
  const saver = create(wrap(pool));
  await saver.setup();
  return {
    saver,
    bytes: () => storedBytes(pool),
    async close() {
      await saver.end();
      if (!pool.ended) await pool.end();
    },
  };
}

export async function openPool(url: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE, idleTimeoutMillis: 0 });
  // `end` does not wait for the connections to close, and dropping their database ends them; that is no news.
  pool.on("error", () => {});
  // Asked for all at once, they cannot share a connection.
  await Promise.all(Array.from({ length: POOL_SIZE }, () => pool.query("SELECT pg_sleep(0.05)")));
  return pool;
}
