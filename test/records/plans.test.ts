/**
 * 100,000 records in 1,000 threads, and one thread of 20,000: what finds a record, or a page however
 * far it is, enters an index, and touches as many buffers as the first page does. The statements are
 * the store's own, prepared and run as often as it takes the server to settle on a plan.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { tableNames } from "../../src/postgres/index.ts";
import { type ListRecordsOptions, resolveList } from "../../src/records/list-options.ts";
import { recordStatements } from "../../src/records/statements.ts";
import { newest, useStore } from "./open-store.ts";

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

interface Seen {
  readonly buffers: number;
  readonly rows: number;
  readonly indexes: ReadonlySet<string>;
  /** Tables that were read from one end to the other. */
  readonly scanned: readonly string[];
}

describe("plans", () => {
  const fixture = useStore(newest);
  const statements = () =>
    recordStatements(tableNames(fixture.current.backend.schema, "checkpoints"));

  beforeAll(async () => {
    const { sql } = fixture.current;
    const load = async (threads: string, each: number, after = 0) => {
      await sql(
        `INSERT INTO T_threads (thread_id, generation, last_seq)
         SELECT t, gen_random_uuid(), $1::int FROM ${threads}`,
        [each],
      );
      // In order of time; the records of a thread lie far apart.
      await sql(
        `INSERT INTO T (thread_id, checkpoint_ns, checkpoint_id, seq, execution_id, version,
           channel_versions, checkpoint_data, metadata, created_at)
         SELECT t, '@records', t || '/' || i, i, t || '/' || i / 10, i, ('{"n":"v' || i || '"}')::json,
           '{"record":{"state":"keys","save":""},"metadata":{}}', jsonb_build_object('i', i),
           '2026-01-01'::timestamptz + ($2::int + row_number() OVER (ORDER BY i, t)) * interval '1 ms'
         FROM ${threads}, generate_series(1, $1::int) i ORDER BY i, t`,
        [each, after],
      );
      await sql(
        `INSERT INTO T_values (thread_id, checkpoint_ns, channel, version, type, payload)
         SELECT t, '@records', 'n', '"v' || i || '"', 'json', convert_to(i::text, 'UTF8')
         FROM ${threads}, generate_series(1, $1::int) i`,
        [each],
      );
    };
    await load("(SELECT 'big'::text) x(t)", 20_000);
    await load("(SELECT 'thread ' || n AS t FROM generate_series(1, 1000) n) x(t)", 100, 20_000);
    for (const table of ["T", "T_threads", "T_values"]) await sql(`VACUUM ANALYZE ${table}`);
  }, 120_000);

  const quote = (value: unknown) => `'${String(value).replaceAll("'", "''")}'`;

  /** The plan that the server has settled on after the statement was executed ten times. */
  const seen = async (text: string, parameters: readonly unknown[]): Promise<Seen> => {
    const client = await fixture.current.backend.pool.connect();
    try {
      const run = (sql: string) => client.query({ text: sql });
      await run(`PREPARE probe AS ${text}`);
      const execute = `EXECUTE probe(${parameters.map(quote).join(", ")})`;
      let rows = 0;
      for (let i = 0; i < 10; i += 1) rows = (await run(execute)).rows.length;
      const { rows: answer } = await run(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${execute}`);
      await run("DEALLOCATE probe");
      const [
        {
          "QUERY PLAN": [{ Plan: plan } = {} as never],
        },
      ] = answer as [{ "QUERY PLAN": [{ Plan: PlanNode }] }];
      const indexes = new Set<string>();
      const scanned: string[] = [];
      const visit = (node: PlanNode): void => {
        if (node["Index Name"]) indexes.add(node["Index Name"].replace("checkpoints_", ""));
        if (node["Node Type"] === "Seq Scan") scanned.push(node["Relation Name"] ?? "");
        for (const child of node.Plans ?? []) visit(child);
      };
      visit(plan);
      const buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
      return { buffers, rows, indexes, scanned };
    } finally {
      client.release();
    }
  };

  const page = async (options: ListRecordsOptions, values?: readonly string[]): Promise<Seen> => {
    const query = resolveList({ limit: 50, withTotal: false, ...options });
    const after = values && { values, total: undefined };
    const { statement, parameters } = statements().page({ ...query, after });
    return seen(statement.text, parameters);
  };

  /** The order's values of the row that stands at a place. */
  const at = async (place: number, columns: string, where = "true"): Promise<string[]> => {
    const [row] = await fixture.current.sql(
      `SELECT array[${columns}] AS values FROM T WHERE ${where}
       ORDER BY created_at DESC OFFSET $1 LIMIT 1`,
      [place],
    );
    return (row as { values: string[] }).values;
  };
  const MICROS = "(extract(epoch FROM created_at) * 1000000)::int8::text";
  const BY_TIME = `${MICROS}, seq::text, checkpoint_id, thread_id, checkpoint_ns`;
  const BY_VERSION = `seq::text, ${MICROS}, checkpoint_id, thread_id, checkpoint_ns`;

  test("load enters by the id", async () => {
    const { byId, byIdInThread } = statements();
    for (const found of [
      await seen(byId.text, ["thread 500/50"]),
      await seen(byIdInThread.text, ["thread 500/50", "thread 500"]),
      await seen(byId.text, ["nobody's"]),
    ]) {
      expect(found.scanned).toEqual([]);
      expect([...found.indexes].some((name) => name === "id_idx" || name === "pkey")).toBe(true);
      expect(found.buffers).toBeLessThan(40);
    }
  });

  test("getLatestByThread enters by the thread's order, however long the thread", async () => {
    const { latest } = statements();
    const short = await seen(latest.text, ["thread 500", "@records", ""]);
    const long = await seen(latest.text, ["big", "@records", ""]);
    for (const found of [short, long]) {
      expect(found.rows).toBe(4);
      expect(found.scanned).toEqual([]);
      expect(found.indexes).toContain("seq_idx");
      expect(found.buffers).toBeLessThan(40);
    }
  });

  test("a page of everything by time: the first and the one at 50,000 cost the same", async () => {
    const first = await page({});
    const far = await page({}, await at(50_000, BY_TIME));
    const farther = await page({}, await at(99_000, BY_TIME));
    for (const found of [first, far, farther]) {
      expect(found.indexes).toContain("time_idx");
      expect(found.scanned).toEqual([]);
      expect(found.rows).toBe(first.rows);
    }
    // An index's root and the row in a page decide about one or two.
    expect(Math.abs(far.buffers - first.buffers)).toBeLessThanOrEqual(0.02 * first.buffers + 2);
    expect(Math.abs(farther.buffers - first.buffers)).toBeLessThanOrEqual(0.02 * first.buffers + 2);
    // Skipping as far reads everything in between.
    const skipped = await page({ offset: 50_000 });
    expect(skipped.buffers).toBeGreaterThan(5 * first.buffers);
  });

  test.each([
    ["time", "createdAt DESC", BY_TIME, {}, "created_idx"],
    ["version", "version DESC", BY_VERSION, { namespace: "" }, "seq_idx"],
  ] as const)(
    "a page of a thread by %s: the same at 10,000",
    async (_, orderBy, columns, more, index) => {
      const options = { threadId: "big", orderBy, ...more };
      const first = await page(options);
      const far = await page(options, await at(10_000, columns, "thread_id = 'big'"));
      for (const found of [first, far]) {
        expect(found.indexes).toContain(index);
        expect(found.scanned).toEqual([]);
      }
      expect(Math.abs(far.buffers - first.buffers)).toBeLessThanOrEqual(0.02 * first.buffers + 2);
    },
  );

  test("a page by id enters by the id", async () => {
    const first = await page({ orderBy: "id ASC" });
    const far = await page({ orderBy: "id ASC" }, ["thread 500/50", "thread 500", "@records"]);
    for (const found of [first, far]) expect(found.indexes).toContain("id_idx");
    expect(Math.abs(far.buffers - first.buffers)).toBeLessThan(0.2 * first.buffers + 5);
  });

  test("an execution's records enter by the execution", async () => {
    for (const orderBy of ["createdAt DESC", "version ASC"] as const) {
      const found = await page({ executionId: "thread 7/3", orderBy });
      expect(found.indexes).toContain("execution_idx");
      expect(found.scanned).toEqual([]);
      expect(found.buffers).toBeLessThan(150);
    }
  });

  test("and they are the store's own answers", async () => {
    const { store } = fixture.current;
    expect((await store.load("thread 500/50")).state).toEqual({ n: 50 });
    expect((await store.getLatestByThread("big"))?.version).toBe(20_000);
    const first = await store.listWithOptions({ limit: 50 });
    expect(first.total).toBe(120_000);
    expect(first.checkpoints[0]?.id).toBe("thread 999/100");
    const second = await store.listWithOptions({ limit: 50, cursor: first.nextCursor });
    expect(second.checkpoints.map(({ id }) => id)).toContain("thread 950/100");
    expect(await store.list("thread 7/3")).toHaveLength(10);
  });
});

describe("a filter on metadata", () => {
  const fixture = useStore(newest, { metadataIndex: true });

  test("enters by the optional index", async () => {
    const { sql, store, backend } = fixture.current;
    await sql(
      "INSERT INTO T_threads (thread_id, generation, last_seq) VALUES ('t', gen_random_uuid(), 20000)",
    );
    await sql(
      `INSERT INTO T (thread_id, checkpoint_ns, checkpoint_id, seq, version, channel_versions, checkpoint_data, metadata)
       SELECT 't', '@records', i::text, i, i, '{}', '{"record":{"state":"keys","save":""},"metadata":{}}',
         jsonb_build_object('user', i % 5000) FROM generate_series(1, 20000) i`,
    );
    await sql("VACUUM ANALYZE T");
    const { total, checkpoints } = await store.listWithOptions({ filter: { user: 4321 } });
    expect(total).toBe(4);
    expect(checkpoints).toHaveLength(4);
    const client = await backend.pool.connect();
    const { text, parameters } = (() => {
      const query = resolveList({ filter: { user: 4321 } });
      const { statement, parameters } = recordStatements(
        tableNames(backend.schema, "checkpoints"),
      ).page(query);
      return { text: statement.text, parameters };
    })();
    const { rows } = await client.query({ text: `EXPLAIN ${text}`, values: parameters });
    client.release();
    expect(JSON.stringify(rows)).toContain("checkpoints_metadata_idx");
  });
});
