/** Queries that send themselves, and the clients that get ordinary ones. */
import fc from "fast-check";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import {
  createDatabase,
  type DbClient,
  type DbPool,
  type DbQuery,
  statement,
} from "../../src/postgres/index.ts";
import { submit, takesSubmissions } from "../../src/postgres/submission.ts";
import { wrapPool } from "../contract/wrapped-pool.ts";

const connectionString = inject("postgres")["18"];
const MAX = 1;

let pools: pg.Pool[] = [];
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  pools = [];
});
function openPool(options: object = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: MAX, ...options });
  pools.push(pool);
  return pool;
}

const DOUBLE = statement("double", "SELECT ($1::int * 2)::text, 'é'::bytea");
const doubled = [["42", "é"]];

describe("parameters arrive the same from both kinds of query", () => {
  const param = fc.oneof(
    fc.constant(null),
    fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "\u0001")),
    fc.bigInt(),
    fc.double(),
    fc.boolean(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  test.each([true, false])("by name: %s", async (namedStatements) => {
    const pool = openPool();
    const own = createDatabase({ pool, namedStatements });
    const ordinary = createDatabase({ pool: wrapPool(pool as DbPool), namedStatements });
    await fc.assert(
      fc.asyncProperty(fc.array(param, { maxLength: 12 }), async (params) => {
        const columns = params.map((value, index) =>
          Buffer.isBuffer(value) ? `encode($${index + 1}::bytea, 'hex')` : `$${index + 1}::text`,
        );
        const echo = statement("echo", `SELECT 'row'${columns.map((one) => `, ${one}`).join("")}`);
        const expected = params.map((value) =>
          value === null || typeof value === "string"
            ? value
            : Buffer.isBuffer(value)
              ? value.toString("hex")
              : String(value),
        );
        expect(await own.execute(echo, params)).toEqual([["row", ...expected]]);
        expect(await ordinary.execute(echo, params)).toEqual([["row", ...expected]]);
      }),
      { numRuns: 100 },
    );
  });
});

test("as many parameters as a statement can have", async () => {
  const db = createDatabase({ pool: openPool() });
  const params = Array.from({ length: 65_535 }, (_, index) => index);
  const all = params.map((index) => `$${index + 1}::int4`).join(",");
  const [row] = await db.execute(
    statement("count", `SELECT cardinality(ARRAY[${all}])::text`),
    params,
  );
  expect(row).toEqual(["65535"]);
});

describe("statements that answer no rows of their own", () => {
  test.each(["", "-- nothing", "COPY (SELECT 1) TO STDOUT"])("%j", async (text) => {
    const db = createDatabase({ pool: openPool() });
    expect(await db.execute(statement("other", text), [])).toEqual([]);
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
  });

  test("COPY FROM STDIN", async () => {
    const pool = openPool();
    const db = createDatabase({ pool });
    await pool.query("CREATE TEMP TABLE copied (n int)");
    const copy = db.execute(statement("copy", "COPY copied FROM STDIN"), []);
    await expect(copy).rejects.toMatchObject({ sqlState: "57014" });
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
  });
});

test("what JavaScript calls undefined is NULL, also of types that have no binary form", async () => {
  const db = createDatabase({ pool: openPool() });
  const isNull = statement(
    "is_null",
    "SELECT ($1::text IS NULL)::text, ($2::aclitem IS NULL)::text",
  );
  expect(await db.execute(isNull, [undefined as never, null])).toEqual([["true", "true"]]);
});

test("rows are counted", async () => {
  const pool = openPool();
  const seen: unknown[] = [];
  const client = await pool.connect();
  const ask = (text: string) => submit(client as DbClient, { text });
  await ask("CREATE TEMP TABLE counted (n int)").then(({ command, rowCount }) =>
    seen.push(command, rowCount),
  );
  await ask("INSERT INTO counted SELECT generate_series(1, 3)").then(({ command, rowCount }) =>
    seen.push(command, rowCount),
  );
  client.release();
  expect(seen).toEqual(["CREATE", null, "INSERT", 3]);
});

describe("a statement that fails", () => {
  let pool: pg.Pool;
  beforeEach(() => {
    pool = openPool();
  });

  test.each([
    ["when it is parsed", "SELECT nothing FROM nowhere", [], "42P01"],
    ["when its parameters are read", "SELECT ($1::int * 2)::text", ["two"], "22P02"],
    [
      "after it has answered rows",
      "SELECT (1 / (3 - i))::text FROM generate_series(1, 5) i",
      [],
      "22012",
    ],
  ])("%s, leaves a connection that works", async (_, text, params, sqlState) => {
    const db = createDatabase({ pool });
    await expect(db.execute(statement("bad", text), params)).rejects.toMatchObject({ sqlState });
    await expect(db.execute(statement("bad", text), params)).rejects.toMatchObject({ sqlState });
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
    expect(pool.totalCount).toBe(1);
  });

  const MOST_PARAMS = 65_535;
  const tooMany = Array.from({ length: MOST_PARAMS + 1 }, () => null);

  test("before it is sent, whether it has to wait for another or not, is told of", async () => {
    const db = createDatabase({ pool });
    await expect(db.execute(DOUBLE, tooMany)).rejects.toThrow(/failed/);
    await expect(
      db.transaction(async (tx) => {
        const before = tx.client.query({ text: "SELECT pg_sleep(0.05)" });
        await Promise.all([before, tx.execute(DOUBLE, tooMany)]);
      }),
    ).rejects.toThrow(/failed/);
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
  });

  test("by the driver's own clock (query_timeout), is told of", async () => {
    const db = createDatabase({ pool: openPool({ query_timeout: 100 }) });
    const slow = db.execute(statement("slow", "SELECT pg_sleep(1)::text"), [], { retry: false });
    await expect(slow).rejects.toThrow(/timeout/i);
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
  });
});

describe("what is put in front of a client's query", () => {
  type Callback = (error: unknown, result?: { rows: unknown[] }) => void;
  type Query = (this: pg.Client, query: DbQuery, callback: Callback) => unknown;
  const original = pg.Client.prototype.query as unknown as Query;
  const instrument = (query: Query): void => {
    vi.spyOn(pg.Client.prototype, "query").mockImplementation(query as never);
  };

  test("for all clients, as instrumentations do, sees text and values, and the answer by the callback", async () => {
    const seen: unknown[] = [];
    instrument(function (query, callback) {
      return original.call(this, query, (error, result) => {
        seen.push([query.text, query.values, result?.rows, error]);
        callback(error, result);
      });
    });
    const db = createDatabase({ pool: openPool() });
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
    await expect(db.execute(DOUBLE, ["two"])).rejects.toMatchObject({ sqlState: "22P02" });
    expect(seen).toEqual([
      [DOUBLE.text, [21], doubled, null],
      [DOUBLE.text, ["two"], undefined, expect.objectContaining({ code: "22P02" })],
    ]);
  });

  test("may send a copy with another text", async () => {
    instrument(function (query, callback) {
      return original.call(this, { ...query, text: `${query.text} /* trace */` }, callback);
    });
    const db = createDatabase({ pool: openPool() });
    const answers = statement("answers", "SELECT 'é'::bytea, 65::int4");
    expect(await db.execute(answers, [])).toEqual([["é", "\0\0\0A"]]);
    expect(await db.execute(answers, [])).toEqual([["é", "\0\0\0A"]]);
  });

  test("for one client or class, may expect a promise", async () => {
    let asked = 0;
    class Traced extends pg.Client {
      override query(...all: never[]): never {
        const answer = super.query(...(all as unknown as [string])) as Promise<unknown>;
        return answer.finally(() => {
          asked += 1;
        }) as never;
      }
    }
    const db = createDatabase({ pool: openPool({ Client: Traced }) });
    expect(await db.execute(DOUBLE, [21])).toEqual(doubled);
    expect(asked).toBe(1);
  });
});

test("a pool that sends queries before others are answered gets ordinary ones", async () => {
  const db = createDatabase({ pool: openPool({ pipeline: true }) });
  expect(await Promise.all([1, 2, 3].map((n) => db.execute(DOUBLE, [n])))).toEqual([
    [["2", "é"]],
    [["4", "é"]],
    [["6", "é"]],
  ]);
});

test.each([{}, { connection: {} }, { connection: { stream: {} } }])(
  "a pg that is made otherwise (%j) gets ordinary ones",
  (parts) => {
    const client = Object.assign(Object.create(pg.Client.prototype) as object, parts);
    expect(takesSubmissions(client as DbClient)).toBe(false);
  },
);

test("a name under which the server knows another text does not run that one", async () => {
  const db = createDatabase({ pool: openPool() });
  expect(await db.execute({ name: "same", text: "SELECT '1'" }, [])).toEqual([["1"]]);
  expect(await db.execute({ name: "same", text: "SELECT '2'" }, [])).toEqual([["2"]]);
});
