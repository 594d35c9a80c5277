/** A backlog of expired checkpoints is swept while writers go on in the very threads. */
import assert from "node:assert/strict";
import type pg from "pg";
import { createPool, PostgresCheckpointStore } from "../../src/index.ts";
import { longestWait } from "../support/longest-wait.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";

interface Backlog {
  readonly threads: number;
  /** Expired checkpoints of each thread. */
  readonly each: number;
  /** The longest that a writer may be seen to wait for a lock that the sweeper holds, in milliseconds. */
  readonly longestWait: number;
}

const WRITERS = 8;
const SWEEPER = "sweeper";

export function sweepOf({ threads, each, longestWait }: Backlog): Campaign {
  return campaign<CampaignDatabase>(
    "sweep",
    async ({ connString }) => {
      const database = await openDatabase(connString);
      return { shared: database, end: () => database.end() };
    },
    async ({ connString, schema }, { number, count }) => {
      const admin = createPool({ connString, maxConns: 1 });
      const name = (i: number) => `round ${number}, thread ${i}`;
      await expire(
        admin,
        schema,
        Array.from({ length: threads }, (_, i) => name(i + 1)),
        each,
      );
      const waits = watchWaits(admin);
      let longest = 0;
      const writing = startWriters({ connString, schema }, (i) => name(1 + (i % threads)));
      try {
        await using store = await PostgresCheckpointStore.connect({
          connString,
          schema,
          pool: { applicationName: SWEEPER },
        });
        const { checkpoints } = await store.cleanupExpired();
        assert.equal(checkpoints, threads * each, "what is swept is what has expired");
      } finally {
        await writing.stop(count);
        longest = await waits.stop();
      }
      const { rows } = await admin.query(
        `SELECT count(*)::int AS n FROM ${schema}.checkpoints WHERE expires_at IS NOT NULL`,
      );
      assert.deepEqual(rows, [{ n: 0 }]);
      assert(longest < longestWait, `a writer waited ${longest} ms for the sweeper`);
      count("expired checkpoints swept", threads * each);
      count("ms that writers waited for it at most", Math.round(longest));
      await admin.end();
    },
  );
}

export const sweep: Campaign = sweepOf({ threads: 500, each: 100, longestWait: 100 });

/** Records that expired, each with a value of its own. */
async function expire(
  admin: pg.Pool,
  schema: string,
  threads: readonly string[],
  each: number,
): Promise<void> {
  const rows = "unnest($1::text[]) t, generate_series(1, $2::int) i";
  await admin.query(
    `INSERT INTO ${schema}.checkpoints_threads (thread_id, generation, last_seq)
     SELECT t, gen_random_uuid(), $2::int FROM unnest($1::text[]) t`,
    [threads, each],
  );
  await admin.query(
    `INSERT INTO ${schema}.checkpoints (thread_id, checkpoint_ns, checkpoint_id, seq, version,
       channel_versions, checkpoint_data, metadata, expires_at)
     SELECT t, '@records', t || '/' || i, i, i, ('{"n":"v' || i || '"}')::json,
       '{"record":{"state":"keys","save":""},"metadata":{}}', '{}', now() - interval '1 hour'
     FROM ${rows}`,
    [threads, each],
  );
  await admin.query(
    `INSERT INTO ${schema}.checkpoints_values (thread_id, checkpoint_ns, channel, version, type, payload)
     SELECT t, '@records', 'n', '"v' || i || '"', 'json', convert_to(i::text, 'UTF8') FROM ${rows}`,
    [threads, each],
  );
}

/** The longest wait for a lock that a connection of the sweeper's holds. */
function watchWaits(admin: pg.Pool): { stop(): Promise<number> } {
  return longestWait(async () => {
    const { rows } = await admin.query(
      `SELECT max(extract(epoch FROM clock_timestamp() - w.query_start) * 1000)::float8 AS ms
       FROM pg_stat_activity w, pg_stat_activity b
       WHERE w.wait_event_type = 'Lock' AND b.application_name = $1 AND b.pid = ANY (pg_blocking_pids(w.pid))`,
      [SWEEPER],
    );
    return rows[0]?.ms;
  });
}

/** Each saves record after record, and finds every one of them again. */
function startWriters(
  to: { connString: string; schema: string },
  threadOf: (n: number) => string,
): { stop(count: Round["count"]): Promise<void> } {
  let going = true;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    await using store = await PostgresCheckpointStore.connect({ ...to, pool: { maxConns: 2 } });
    let saves = 0;
    const last = new Map<string, number>();
    for (; going || saves === 0; saves += 1) {
      const threadId = threadOf(writer + WRITERS * saves);
      await store.save({ id: `${threadId} by ${writer}`, threadId, state: { saves } });
      last.set(threadId, saves);
    }
    for (const [threadId, written] of last) {
      const { state } = await store.load(`${threadId} by ${writer}`, { threadId });
      assert.deepEqual(state, { saves: written });
    }
    return saves;
  });
  return {
    async stop(count) {
      going = false;
      for (const saves of await Promise.all(writers)) count("saves beside it", saves);
    },
  };
}
