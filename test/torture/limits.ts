/**
 * Limits are hit: the pool, the server's connections, its timeouts, its disk. Every call ends with success or a typed
 * error, nothing is half there, and the store works again once the cause is gone.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import pg from "pg";
import { createPool, DatabaseError, type DbPool, PostgresSaver } from "../../src/index.ts";
import { checkpointOf, putAll } from "../contract/material.ts";
import { startServer } from "../support/postgres-server.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import { atRest, works } from "./load.ts";
import { mountSmallDisk } from "./small-disk.ts";

const MAX_CONNECTIONS = 12;

interface Attempt {
  readonly config: RunnableConfig;
  readonly checkpoint: Checkpoint;
  /** The code of the typed error, and PostgreSQL's; undefined where it succeeded. */
  readonly failed: { readonly code: string; readonly sqlState: string | undefined } | undefined;
}

/** Puts checkpoints with values large and small; every failure must be a typed one. */
async function putMany(
  saver: PostgresSaver,
  { random }: Round,
  howMany: number,
  bytes = 3000,
): Promise<Attempt[]> {
  return Promise.all(
    Array.from({ length: howMany }, async () => {
      const list = Array.from({ length: 4 }, () =>
        random
          .next()
          .toString(36)
          .repeat(bytes / 48),
      );
      const checkpoint = checkpointOf({ list, n: random.next() });
      const config = { configurable: { thread_id: randomUUID(), checkpoint_ns: "" } };
      try {
        await putAll(saver, config, checkpoint);
        return { config, checkpoint, failed: undefined };
      } catch (error) {
        assert(error instanceof DatabaseError, `not a typed error: ${String(error)}`);
        return { config, checkpoint, failed: { code: error.code, sqlState: error.sqlState } };
      }
    }),
  );
}

/** What was acknowledged is there; what failed is there whole or not at all. */
async function allWhole(
  attempts: readonly Attempt[],
  { withFreshSaver }: Pick<CampaignDatabase, "withFreshSaver">,
): Promise<void> {
  await withFreshSaver(async (saver) => {
    for (const { config, checkpoint, failed } of attempts) {
      const stored = await saver.getTuple(config);
      assert(stored !== undefined || failed !== undefined, "an acknowledged checkpoint is lost");
      if (stored) assert.deepEqual(stored.checkpoint.channel_values, checkpoint.channel_values);
    }
  });
}

/** All of them failed, with one of these codes or SQLSTATEs. */
function allFailed(attempts: readonly Attempt[], codes: readonly string[]): void {
  for (const { failed } of attempts) {
    assert(failed !== undefined, "a call succeeded where none could");
    const known = [failed.code, failed.sqlState ?? ""].some((one) => codes.includes(one));
    assert(known, `${failed.code} ${failed.sqlState} is none of ${codes.join(", ")}`);
  }
}

/** The pool has no connection free; then it has. */
async function poolExhausted(database: CampaignDatabase, round: Round): Promise<void> {
  const { connString, schema } = database;
  const pool: DbPool = createPool({ connString, maxConns: 2 });
  const taken = [await pool.connect(), await pool.connect()];
  const impatient = new PostgresSaver(pool, undefined, { schema, deadline: 250 });
  const refused = await putMany(impatient, round, 6);
  allFailed(refused, ["POOL_TIMEOUT"]);
  const patient = new PostgresSaver(pool, undefined, { schema, deadline: 20_000 });
  const waiting = putMany(patient, round, 6);
  await sleep(50);
  for (const client of taken) client.release();
  const served = await waiting;
  assert(served.every(({ failed }) => failed === undefined));
  await allWhole([...refused, ...served], database);
  await works(pool, schema);
  await atRest(pool);
  await pool.end?.();
  round.count("typed errors", refused.length);
  round.count("waited out", served.length);
}

/** The server has no connection free (53300); then it has. */
async function tooManyConnections(database: CampaignDatabase, round: Round): Promise<void> {
  const { connString, schema } = database;
  const others: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: connString });
    client.on("error", () => {});
    try {
      await client.connect();
    } catch {
      break;
    }
    others.push(client);
  }
  assert(others.length > 0, "the server has no limit");
  const pool = createPool({ connString, maxConns: 4 });
  const impatient = new PostgresSaver(pool, undefined, { schema, deadline: 300 });
  const refused = await putMany(impatient, round, 4);
  // CONNECTION_FAILED: the deadline passed while the server was about to refuse once more.
  allFailed(refused, ["53300", "POOL_TIMEOUT", "CONNECTION_FAILED"]);
  const patient = new PostgresSaver(pool, undefined, { schema, deadline: 20_000 });
  const waiting = putMany(patient, round, 6);
  await sleep(100);
  await Promise.all(others.map((client) => client.end()));
  const served = await waiting;
  assert(served.every(({ failed }) => failed === undefined));
  await allWhole([...refused, ...served], database);
  await atRest(pool);
  await pool.end();
  round.count("typed errors", refused.length);
  round.count("waited out", served.length);
}

/** A lock is held for longer than the server's timeout allows; then it is gone. */
async function serverTimeout(
  database: CampaignDatabase,
  round: Round,
  [setting, sqlState]: readonly [string, string],
): Promise<void> {
  const { connString, schema } = database;
  const url = new URL(connString);
  url.searchParams.set("options", `-c ${setting}=100ms`);
  const pool = createPool({ connString: url.href, maxConns: 4 });
  const saver = new PostgresSaver(pool, undefined, { schema, deadline: 20_000 });
  const holder = new pg.Client({ connectionString: connString });
  await holder.connect();
  await holder.query("BEGIN");
  const table = round.random.pick(["", "_threads", "_values", "_chunks"]);
  await holder.query(`LOCK TABLE ${schema}.checkpoints${table}`);
  const refused = await putMany(saver, round, 8);
  allFailed(refused, [sqlState]);
  await holder.query("ROLLBACK");
  await holder.end();
  await allWhole(refused, database);
  const served = await putMany(new PostgresSaver(pool, undefined, { schema }), round, 1);
  // On a machine this loaded even an undisturbed statement can take that long.
  if (setting === "lock_timeout") assert(served.every(({ failed }) => failed === undefined));
  await allWhole(served, database);
  await atRest(pool);
  await pool.end();
  const unlimited = createPool({ connString, maxConns: 2 });
  await works(unlimited, schema);
  await unlimited.end();
  round.count("typed errors", refused.length);
}

export const limits: Campaign = campaign<CampaignDatabase>(
  "limits",
  async () => {
    const settings = { max_connections: MAX_CONNECTIONS, superuser_reserved_connections: 3 };
    const database = await openDatabase(undefined, { settings });
    return { shared: database, end: () => database.end() };
  },
  async (database, round) => {
    await poolExhausted(database, round);
    await tooManyConnections(database, round);
    await serverTimeout(database, round, ["statement_timeout", "57014"]);
    await serverTimeout(database, round, ["lock_timeout", "55P03"]);
  },
);

/** The disk is full, more than once; space comes back each time. */
export const diskFull: Campaign = campaign<undefined>(
  "disk-full",
  async () => ({ shared: undefined, end: async () => {} }),
  async (_, round) => {
    const disk = await mountSmallDisk(160);
    if (typeof disk === "string") throw new Error(disk);
    const server = await startServer({
      dataDir: `${disk.path}/data`,
      // A real commit, so that the log is what fills the disk as well.
      fsync: true,
      settings: { min_wal_size: "32MB", max_wal_size: "32MB", shared_buffers: "16MB" },
    });
    try {
      const database = await openDatabase(server.url());
      const { connString, schema } = database;
      const pool = createPool({ connString, maxConns: 4 });
      const saver = new PostgresSaver(pool, undefined, { schema, deadline: 3000 });
      for (let i = 0; i < 2; i += 1) {
        await disk.fill(round.random.between(0, 6) * 1024 * 1024);
        const attempts: Attempt[] = [];
        const end = performance.now() + 20_000;
        while (!attempts.some(({ failed }) => failed)) {
          assert(performance.now() < end, "the disk does not fill up");
          attempts.push(...(await putMany(saver, round, 8, 200_000)));
        }
        const states = new Set(attempts.map(({ failed }) => failed?.sqlState ?? failed?.code));
        for (const state of states) if (state) round.count(`ended with ${state}`);
        await disk.free();
        // Where the log could not be written, the server has stopped itself.
        await server.restart();
        await works(pool, schema);
        await allWhole(attempts, database);
        round.count("disks filled");
        round.count(
          "acknowledgements kept",
          attempts.filter(({ failed }) => failed === undefined).length,
        );
      }
      await atRest(pool);
      await pool.end();
    } finally {
      await server.stop();
      await disk.unmount();
    }
  },
  async () => {
    const disk = await mountSmallDisk(1);
    if (typeof disk === "string") return disk;
    await disk.unmount();
    return undefined;
  },
);
