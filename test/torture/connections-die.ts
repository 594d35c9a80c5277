/**
 * Connections die: statements are cut at every place by a proxy while graphs run, packets vanish, the server ends
 * sessions by the dozen.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createPool, DatabaseError, type DbPool, PostgresSaver } from "../../src/index.ts";
import { checkpointOf, putAll } from "../contract/material.ts";
import { eventually } from "../support/wait.ts";
import { type Campaign, campaign, type Round } from "./campaign.ts";
import { type CampaignDatabase, openDatabase } from "./database.ts";
import { atRest, startLoad, works } from "./load.ts";
import { CUT_NAMES, startProxy, type TcpProxy } from "./proxy.ts";

const DEADLINE = 20_000;
/** What a black hole may cost, and how much later than that an answer may come on a loaded machine. */
const SHORT_DEADLINE = 600;
const SLACK = 4000;

interface Shared {
  readonly database: CampaignDatabase;
  readonly proxy: TcpProxy;
}

interface Place extends Shared {
  readonly pool: DbPool;
  /** How the server knows the pool's sessions. */
  readonly name: string;
}

export const connectionsDie: Campaign = campaign<Shared>(
  "connections-die",
  async ({ connString }) => {
    const database = await openDatabase(connString);
    const { hostname: host, port } = new URL(database.connString);
    const proxy = await startProxy({ host, port: Number(port) });
    return {
      shared: { database, proxy },
      async end() {
        await proxy.close();
        await database.end();
      },
    };
  },
  async (shared, round) => {
    const name = `torture ${randomUUID().slice(0, 8)}`;
    const url = new URL(shared.database.connString);
    url.port = String(shared.proxy.port);
    const pool = createPool({ connString: url.href, maxConns: 5, applicationName: name });
    const place = { ...shared, pool, name };
    try {
      await cutEverywhere(place, round);
      await oneByOne(place, round);
      await vanish(place, round);
      await terminate(place, round);
      await atRest(pool);
      await noSessionLeft(place);
    } finally {
      await pool.end();
    }
    await eventually("no session outlives its pool", async () => (await sessions(place)) === 0);
  },
);

/** Graphs run while cut follows cut: all of them end well. */
async function cutEverywhere(place: Place, round: Round): Promise<void> {
  const { random, count } = round;
  const { proxy } = place;
  proxy.latency = random.pick([0, 0, 1, 3]);
  const load = startLoad({ ...place, ...place.database, random, width: 4, deadline: DEADLINE });
  const cuts = 30;
  const before = proxy.inflicted;
  while (proxy.inflicted - before < cuts) {
    const aim = proxy.inflicted + 1;
    proxy.arm(random.pick(CUT_NAMES), random.below(6));
    await Promise.race([load.ended, eventually("a cut", () => proxy.inflicted >= aim)]);
  }
  proxy.disarm();
  load.stop();
  await load.ended;
  proxy.latency = 0;
  count("cuts", proxy.inflicted - before);
  await load.judge(place.database, round);
  await atRest(place.pool);
}

/** Every kind of cut meets every kind of call, alone, so that its effect can be counted. */
async function oneByOne(place: Place, { random, count }: Round): Promise<void> {
  const { proxy, pool, database } = place;
  const { schema } = database;
  for (const cut of CUT_NAMES) {
    const saver = new PostgresSaver(pool, undefined, { schema, deadline: DEADLINE });
    const thread = `one by one ${randomUUID()}`;
    const config = { configurable: { thread_id: thread, checkpoint_ns: "" } };
    const meet = async <T>(work: () => Promise<T>): Promise<T> => {
      proxy.arm(cut);
      const before = proxy.inflicted;
      const result = await work();
      assert.equal(proxy.inflicted, before + 1, `"${cut}" met nothing`);
      count("cuts");
      return result;
    };
    const list = Array.from({ length: 3 }, (_, i) => `${i} ${random.next()} `.repeat(60));
    const first = checkpointOf({ list, n: 1 });
    const afterFirst = await meet(() => putAll(saver, config, first));
    await meet(() =>
      saver.putWrites(
        afterFirst,
        [
          ["list", [list[0]]],
          ["n", 2],
        ],
        "task",
      ),
    );
    const second = checkpointOf({ list: [...list, "more"], n: 2 }, { list: 2, n: 2 });
    await meet(() => putAll(saver, afterFirst, second));
    const read = await meet(() => saver.getTuple(config));
    assert.equal(read?.checkpoint.id, second.id);
    const held = await meet(async () => collect(saver, thread));
    const want = [
      [second.id, { list: [...list, "more"], n: 2 }, 0],
      [first.id, { list, n: 1 }, 2],
    ];
    assert.deepEqual(held, want);
    assert.deepEqual(await database.withFreshSaver((fresh) => collect(fresh, thread)), want);
    await meet(() => saver.deleteThread(thread));
    assert.deepEqual(await database.withFreshSaver((fresh) => collect(fresh, thread)), []);
  }
}

async function collect(saver: PostgresSaver, thread: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { checkpoint, pendingWrites } of saver.list({
    configurable: { thread_id: thread },
  })) {
    found.push([checkpoint.id, checkpoint.channel_values, pendingWrites?.length]);
  }
  return found;
}

/** Packets vanish without a word: every call ends with a typed error by its deadline, and nothing is half there. */
async function vanish(place: Place, { random, count }: Round): Promise<void> {
  const { proxy, pool, database } = place;
  const { schema, withFreshSaver } = database;
  const saver = new PostgresSaver(pool, undefined, { schema, deadline: SHORT_DEADLINE });
  await works(pool, schema);
  const calls = Array.from({ length: 12 }, () => {
    const checkpoint = checkpointOf({ list: ["x".repeat(4000), random.next()], n: random.next() });
    const config = { configurable: { thread_id: randomUUID(), checkpoint_ns: "" } };
    return { checkpoint, config };
  });
  const begun = performance.now();
  // Some are on their way when it begins, some come later; there are more of them than connections.
  const attempts = calls.map(async ({ checkpoint, config }, i) => {
    if (i > 3) await sleep(random.below(12));
    if (i === 4) proxy.blackHole();
    await (i % 3 === 2 ? saver.getTuple(config) : putAll(saver, config, checkpoint));
  });
  const outcomes = await Promise.allSettled(attempts);
  const took = performance.now() - begun;
  assert(took < SHORT_DEADLINE + SLACK, `a call took ${Math.round(took)} ms in a black hole`);
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    count("typed errors in a black hole");
    assert(outcome.reason instanceof DatabaseError, String(outcome.reason));
    assert(
      ["DEADLINE_EXCEEDED", "POOL_TIMEOUT", "CONNECTION_FAILED"].includes(outcome.reason.code),
      outcome.reason.message,
    );
  }
  assert(
    outcomes.some(({ status }) => status === "rejected"),
    "the black hole swallowed nothing",
  );
  count("black holes");
  proxy.lift();
  await works(pool, schema);
  await withFreshSaver(async (fresh) => {
    for (const [i, { checkpoint, config }] of calls.entries()) {
      const stored = await fresh.getTuple(config);
      const acknowledged = outcomes[i]?.status === "fulfilled" && i % 3 !== 2;
      assert(stored || !acknowledged, "an acknowledged put is lost");
      if (stored) assert.deepEqual(stored.checkpoint.channel_values, checkpoint.channel_values);
    }
  });
  await atRest(pool);
}

/** The server ends whatever sessions the pool has, again and again, while graphs run. */
async function terminate(place: Place, round: Round): Promise<void> {
  const { random, count } = round;
  const { pool, name, database } = place;
  const load = startLoad({ pool, ...database, random, width: 4, deadline: DEADLINE });
  const admin = createPool({ connString: database.connString, maxConns: 1 });
  try {
    for (let storm = 0; storm < 10; storm += 1) {
      await Promise.race([load.ended, sleep(random.between(5, 80))]);
      const { rowCount } = await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND random() < $2",
        [name, random.pick([0.3, 0.6, 1])],
      );
      count("sessions terminated", rowCount ?? 0);
    }
  } finally {
    await admin.end();
    load.stop();
  }
  await load.ended;
  await load.judge(database, round);
}

async function noSessionLeft(place: Place): Promise<void> {
  await eventually(
    "the server has no sessions that the pool does not know",
    async () => (await sessions(place)) <= (place.pool.totalCount ?? 0),
  );
}

async function sessions({ name, database }: Place): Promise<number> {
  const admin = createPool({ connString: database.connString, maxConns: 1 });
  const { rows } = await admin.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1",
    [name],
  );
  await admin.end();
  return rows[0]?.n ?? 0;
}
