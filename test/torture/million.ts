/**
 * A large store: the same work on a tenth of the checkpoints and on all of them must touch as many
 * buffers, but for the levels that indexes grow by. Counted by the server, over the store's own statements.
 */
import type pg from "pg";
import { createPool, PostgresSaver } from "../../src/index.ts";
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { getThread, listThreads } from "../../src/threads/list-threads.ts";
import { chatGraph } from "../langgraph/graphs/chat.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";

/** Checkpoints of a thread: three a turn, one of which is the first. */
const TURNS = 34;
const EACH = 100;
const KEPT = 10;
/** A level more in each index is what growth may cost. */
const MOST = 1.5;
/** Times that each work is done beforehand, so that the server has settled on its plans, and then counted. */
const WARM = 6;
const COUNTED = 5;

/** Threads of a hundred checkpoints each, first so many, then so many in all. */
interface Sizes {
  readonly small: number;
  readonly large: number;
}

export const million: Campaign = growing("million", { small: 1000, large: 10_000 });

function growing(name: string, sizes: Sizes): Campaign {
  return campaign<CampaignDatabase>(
    name,
    async ({ connString }) => {
      const settings = { autovacuum: "off", max_wal_size: "4GB", shared_buffers: "1GB" };
      const database = await openDatabase(connString, { settings });
      return { shared: database, end: () => database.end() };
    },
    (database, round) => grow(database, sizes, round),
  );
}

async function grow(
  { connString, schema }: CampaignDatabase,
  { small, large }: Sizes,
  round: Round,
): Promise<void> {
  // One connection: what it has counted is what the work has touched.
  const pool = createPool({ connString, maxConns: 1 });
  const storage = openStorage({ pool, owned: true, settings: { schema, deadline: "10m" } });
  try {
    await makeTemplate(storage, pool);
    await fill(pool, schema, 1, small);
    const few = await measure(storage, pool, schema, 0);
    await fill(pool, schema, small + 1, large);
    const [size] = await rowsOf<{ mb: number }>(
      pool,
      `SELECT round(sum(pg_total_relation_size(oid)) / 1e6)::int AS mb FROM pg_class
      WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r'`,
    );
    round.count("MB of tables and indexes", size?.mb);
    round.count("threads", large);
    round.count("checkpoints", EACH * large);
    const many = await measure(storage, pool, schema, small);
    for (const [work, buffers] of many) {
      const before = few.get(work) ?? 0;
      round.count(`buffers of ${work} at a tenth`, before);
      round.count(`buffers of ${work}`, buffers);
      if (buffers > MOST * before) {
        throw new Error(
          `${work}: ${before} buffers at a tenth of the size, ${buffers} at all of it`,
        );
      }
    }
  } finally {
    await storage.close();
  }
}

/** A thread as a graph writes it, of which all others are copies under other ids. */
async function makeTemplate(storage: Storage, pool: pg.Pool): Promise<void> {
  const graph = chatGraph({
    checkpointer: new PostgresSaver(storage),
    reply: (messages) => `answer ${messages.length} ${"lorem ipsum ".repeat(30)}`,
  });
  const config = { configurable: { thread_id: "template" } };
  for (let turn = 0; turn < TURNS; turn += 1) {
    await graph.invoke({ messages: [`question ${turn} ${"dolor sit amet ".repeat(10)}`] }, config);
  }
  const { checkpoints } = storage.names;
  await pool.query(`DELETE FROM ${checkpoints} WHERE thread_id = 'template' AND seq > ${EACH}`);
}

const COLUMNS = {
  _values: "checkpoint_ns, channel, version, type, payload, chunks",
  _chunks: "chunk_id, payload, children",
} as const;

/** The threads from one number to another, the later the newer. Ids differ from thread to thread, as LangGraph's do. */
async function fill(pool: pg.Pool, schema: string, from: number, to: number): Promise<void> {
  const T = `${schema}.checkpoints`;
  const own = (id: string): string => `left(${id}, 24) || lpad(to_hex(n), 12, '0')`;
  const each = (table: string, columns: string, selected: string): string =>
    `INSERT INTO ${T}${table} (thread_id, ${columns}) SELECT 'thread ' || n, ${selected}
FROM generate_series($1::int, $2::int) n, ${T}${table} x WHERE x.thread_id = 'template'`;
  const statements = [
    each(
      "_threads",
      "generation, last_seq, created_at, updated_at",
      "gen_random_uuid(), last_seq, now() - (100000 - n) * interval '1 minute', now() - (100000 - n) * interval '1 minute'",
    ),
    each(
      "",
      `checkpoint_ns, checkpoint_id, parent_checkpoint_id, seq, execution_id, node_name, version,
      channel_versions, checkpoint_data, metadata, created_at`,
      `checkpoint_ns, ${own("checkpoint_id")}, ${own("parent_checkpoint_id")}, seq, 'run ' || n || '/' || seq / 3,
      node_name, version, channel_versions, checkpoint_data, metadata, now() - (100000 - n) * interval '1 minute' + seq * interval '1 ms'`,
    ),
    ...Object.entries(COLUMNS).map(([table, columns]) => each(table, columns, columns)),
    each(
      "_writes",
      "checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, payload, chunks",
      `checkpoint_ns, ${own("checkpoint_id")}, task_id, idx, task_path, channel, type, payload, chunks`,
    ),
  ];
  for (let at = from; at <= to; at += 500) {
    for (const text of statements) await pool.query(text, [at, Math.min(at + 499, to)]);
  }
  for (const table of ["", "_threads", "_values", "_chunks", "_writes"]) {
    await pool.query(`VACUUM (ANALYZE) ${T}${table}`);
  }
}

/** The median of the buffers that each work touches. Behind `offset` are threads that no earlier call removed from. */
async function measure(
  storage: Storage,
  pool: pg.Pool,
  schema: string,
  offset: number,
): Promise<Map<string, number>> {
  const threadOf = (i: number): string => `thread ${offset + 20 + i * 3}`;
  const works: Record<string, (i: number) => Promise<unknown>> = {
    listThreads: () => listThreads(storage, { limit: 20 }),
    "listThreads, a later page": async (i) => {
      const cursor = cursors[i % cursors.length];
      return listThreads(storage, { limit: 20, ...(cursor ? { cursor } : {}) });
    },
    getThread: (i) => getThread(storage, threadOf(i)),
    getTuple: (i) => fresh().getTuple(configOf(threadOf(i))),
    "history, 50 of 100": async (i) => {
      for await (const _ of fresh().list(configOf(threadOf(i)), { limit: 50 }));
    },
    "prune of a thread": async (i) => {
      const { checkpoints } = await prune(storage, { threads: [threadOf(i)], keepLast: KEPT });
      if (checkpoints !== EACH - KEPT) throw new Error(`pruned ${checkpoints} of ${threadOf(i)}`);
    },
    "a sweep of 10 threads and of 100 checkpoints": async () => {
      const report = await cleanupExpired(storage);
      if (report.threads !== 10) throw new Error(`swept ${JSON.stringify(report)}`);
    },
  };
  const { database, names, settings } = storage;
  // Without what it remembers of threads, which would spare it the buffers.
  const fresh = () =>
    new PostgresSaver(database.pool, undefined, {
      schema: names.schemaName,
      cacheBytes: 0,
      deadline: settings.deadline,
    });
  const cursors: (string | undefined)[] = [];
  for (let cursor: string | undefined, i = 0; i < WARM + COUNTED; i += 1) {
    cursor = (await listThreads(storage, { limit: 20, ...(cursor ? { cursor } : {}) })).nextCursor;
    cursors.push(cursor);
  }
  const medians = new Map<string, number>();
  for (const [work, go] of Object.entries(works)) {
    const counted: number[] = [];
    for (let i = 0; i < WARM + COUNTED; i += 1) {
      if (work.startsWith("a sweep")) await expire(pool, schema, offset + 60 + i * 20);
      const before = await buffers(pool, schema);
      await go(i);
      counted.push((await buffers(pool, schema)) - before);
    }
    const last = counted.slice(WARM).sort((a, b) => a - b);
    medians.set(work, last[Math.floor(last.length / 2)] ?? 0);
  }
  return medians;
}

/** Ten threads as a whole, and ten checkpoints in each of ten others. */
async function expire(pool: pg.Pool, schema: string, first: number): Promise<void> {
  const ids = (from: number): string[] =>
    Array.from({ length: 10 }, (_, i) => `thread ${from + i}`);
  await pool.query(
    `UPDATE ${schema}.checkpoints_threads SET expires_at = now() WHERE thread_id = ANY ($1::text[])`,
    [ids(first)],
  );
  await pool.query(
    `UPDATE ${schema}.checkpoints SET expires_at = now() WHERE thread_id = ANY ($1::text[]) AND seq <= 10`,
    [ids(first + 10)],
  );
}

/** Buffers of the store's tables and indexes that were touched so far, in memory or not. */
async function buffers(pool: pg.Pool, schema: string): Promise<number> {
  await pool.query("SELECT pg_stat_force_next_flush()");
  const [row] = await rowsOf<{ sum: string }>(
    pool,
    `SELECT sum(heap_blks_read + heap_blks_hit + COALESCE(idx_blks_read + idx_blks_hit, 0)
      + COALESCE(toast_blks_read + toast_blks_hit, 0) + COALESCE(tidx_blks_read + tidx_blks_hit, 0)) AS sum
    FROM pg_statio_user_tables WHERE schemaname = '${schema}'`,
  );
  return Number(row?.sum);
}

async function rowsOf<T>(pool: pg.Pool, text: string): Promise<T[]> {
  return (await pool.query(text)).rows as T[];
}

function configOf(thread: string): { configurable: { thread_id: string } } {
  return { configurable: { thread_id: thread } };
}
