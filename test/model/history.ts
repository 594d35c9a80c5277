/** One history: a few clients of several stores at one or two threads, in an order that a seed gives; then everything is held against the oracle. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { createPool } from "../../src/index.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import type { Random } from "../torture/random.ts";
import { pickCall } from "./calls.ts";
import { type Client, emptyNotes, openClient, type Setting } from "./client.ts";
import { NO_THREAD, serialOrder } from "./oracle.ts";
import { list } from "./reading-calls.ts";
import { createTurns, type Turns } from "./turns.ts";
import { createWatch, expectWhole } from "./whole.ts";

const STORES = ["A", "B", "C"] as const;
/** Two clients of one store share its write queue and what it remembers. */
const CLIENTS = ["A", "A", "B", "C"] as const;
const MOST_THREADS = 2;
/** Connections of a store. */
const WIDTH = 2;

export interface Place {
  readonly schema: string;
  readonly pools: ReadonlyMap<string, pg.Pool>;
  /** For looking, not through any gate. */
  readonly admin: pg.Pool;
  end(): Promise<void>;
}

export async function openPlace(connString: string): Promise<Place> {
  const schema = `model_${randomUUID().slice(0, 8)}`;
  const admin = createPool({ connString, maxConns: 2 });
  const storage = openStorage({ pool: admin, owned: false, settings: { schema } });
  await storage.setup();
  const pools = new Map(
    STORES.map((name) => [name, createPool({ connString, maxConns: WIDTH, minConns: WIDTH })]),
  );
  // Connected before the first history: a connection that is still being made would be a turn that nobody gave.
  for (const pool of pools.values()) {
    const clients = await Promise.all(Array.from({ length: WIDTH }, () => pool.connect()));
    for (const client of clients) client.release();
  }
  return {
    schema,
    pools,
    admin,
    async end() {
      for (const pool of pools.values()) await pool.end();
      await admin.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await admin.end();
    },
  };
}

/** What happened, for the counts of a campaign. */
export interface Told {
  readonly calls: number;
  readonly statements: number;
  readonly refused: number;
  /** Statements that waited for a lock. */
  readonly waits: number;
}

/** Fails, with all that happened in order, where what was seen is not what a serial order gives. */
export async function playHistory(place: Place, random: Random): Promise<Told> {
  const { schema, admin } = place;
  const turns = createTurns(random, async (pids, ours) => {
    const { rows } = await admin.query<{ pid: number }>(
      "SELECT pid FROM unnest($1::int[]) pid WHERE pg_blocking_pids(pid) && $2::int[]",
      [pids, ours],
    );
    return rows.map(({ pid }) => pid);
  });
  try {
    return await play(place, random, turns);
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${turns.trace.join("\n")}\nschema ${schema}`, {
      cause,
    });
  }
}

async function play({ schema, pools, admin }: Place, random: Random, turns: Turns): Promise<Told> {
  const settings = { schema, deadline: 120_000 };
  const storages = new Map<string, Storage>();
  for (const [name, pool] of pools) {
    const gated = turns.gated(pool, name);
    storages.set(name, openStorage({ pool: gated, owned: false, settings }));
  }
  const clients = CLIENTS.map((name) => openClient(name, storages.get(name) as Storage));
  const threads: string[] = Array.from({ length: random.between(1, MOST_THREADS) }, () =>
    randomUUID(),
  );
  const record = emptyNotes();
  const setting: Setting = {
    record,
    random,
    turn: () => turns.turn,
    async sql(client, text, values) {
      const connection = await client.storage.database.pool.connect();
      try {
        await connection.query({ text: text.replaceAll(":schema", `"${schema}"`), values });
      } finally {
        connection.release();
      }
    },
  };
  const all = async (calls: Promise<void>[]) => {
    const ended = await Promise.allSettled(calls);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
  };

  let calls = 0;
  const prologue = async (): Promise<void> => {
    // Something is there already, and most of the stores know of it.
    const [first] = clients as [Client];
    for (const thread of threads) {
      for (let i = random.below(4); i > 0; i -= 1) await callOf(first, thread, "put");
    }
    for (const client of clients.slice(1)) {
      if (random.below(3) > 0) await callOf(client, random.pick(threads), "getLatest");
    }
  };
  const callOf = (client: Client, thread: string, name?: string): Promise<void> => {
    const [what, call] = pickCall(random, name);
    calls += 1;
    return turns.begin(client.store, `${what} ${threads.indexOf(thread)}`, () =>
      call(setting, client, thread),
    );
  };
  const several = async (client: Client): Promise<void> => {
    for (let i = random.between(1, 4); i > 0; i -= 1) await callOf(client, random.pick(threads));
  };

  const watch = createWatch(admin, schema, threads);
  await turns.run(prologue(), watch);
  await turns.run(all(clients.map(several)), watch);

  const judge = openClient("judge", openStorage({ pool: admin, owned: false, settings }));
  for (const [i, thread] of threads.entries()) {
    await expectWhole(admin, schema, thread);
    await list(setting, judge, thread);
    const events = record.events.get(thread) ?? [];
    assert(
      serialOrder(events, NO_THREAD),
      `thread ${i}: no serial order gives this\n${events.map(({ what, from, to }) => `${from}-${to} ${what}`).join("\n")}\n`,
    );
  }
  for (const storage of storages.values()) {
    assert.equal(storage.database.counters.retries, 0, "a statement had to be repeated");
  }
  for (const thread of threads) await judge.saver.deleteThread(thread);
  return { calls, statements: turns.turn, refused: record.refused, waits: turns.waits };
}
