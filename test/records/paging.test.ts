/** Pages: every order and scope, by offset and by cursor, against a plain sort of everything. */
import { beforeAll, describe, expect, test } from "vitest";
import type { CheckpointRecord, ListRecordsOptions, RecordOrder } from "../../src/index.ts";
import { both, failure, fresh, useStore } from "./open-store.ts";

const ORDERS: readonly RecordOrder[] = [
  "createdAt ASC",
  "createdAt DESC",
  "version ASC",
  "version DESC",
  "id ASC",
  "id DESC",
];

describe.each(both)("pages on $name", (backend) => {
  const fixture = useStore(backend);
  const threads = ["a", "B", "ä", "\u{1f600}"];
  let all: CheckpointRecord[] = [];

  beforeAll(async () => {
    const { store } = fixture.current;
    // Times and versions that meet often, so that ties are broken.
    const records = Array.from({ length: 120 }, (_, i) => ({
      id: `id ${(i * 37) % 60}`,
      threadId: threads[i % 4] as string,
      namespace: i % 3 === 0 ? "n" : "",
      executionId: `run ${i % 7}`,
      version: i % 2 === 0 ? Math.floor(i / 28) * 7 + (i % 7) : undefined,
      timestamp: new Date(Date.UTC(2026, 0, 1 + (i % 5))),
      state: i,
      metadata: { even: i % 2 === 0, third: i % 3 },
    }));
    for (const record of records) {
      await store.save(record, { ifExists: "replace" }).catch(() => {});
    }
    all = (await store.listWithOptions({ limit: 1000 })).checkpoints;
    expect(all.length).toBeGreaterThanOrEqual(60);
  });

  const bytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const stored = (one: CheckpointRecord) =>
    one.namespace ? `@records/${one.namespace}` : "@records";
  const compare: Record<string, (a: CheckpointRecord, b: CheckpointRecord) => number> = {
    createdAt: (a, b) =>
      a.timestamp.getTime() - b.timestamp.getTime() || a.version - b.version || rest(a, b),
    version: (a, b) =>
      a.version - b.version || a.timestamp.getTime() - b.timestamp.getTime() || rest(a, b),
    id: (a, b) => rest(a, b),
  };
  const rest = (a: CheckpointRecord, b: CheckpointRecord) =>
    bytes(a.id, b.id) || bytes(a.threadId, b.threadId) || bytes(stored(a), stored(b));

  const scopes: [string, ListRecordsOptions, (one: CheckpointRecord) => boolean][] = [
    ["everything", {}, () => true],
    ["a thread", { threadId: "ä" }, (one) => one.threadId === "ä"],
    [
      "a thread's root",
      { threadId: "a", namespace: "" },
      (one) => one.threadId === "a" && one.namespace === "",
    ],
    ["a namespace", { namespace: "n" }, (one) => one.namespace === "n"],
    ["an execution", { executionId: "run 3" }, (one) => one.executionId === "run 3"],
    [
      "an execution's thread",
      { executionId: "run 3", threadId: "B" },
      (one) => one.executionId === "run 3" && one.threadId === "B",
    ],
    [
      "a filter",
      { filter: { even: true, third: 1 } },
      (one) => one.metadata.even === true && one.metadata.third === 1,
    ],
    ["nothing", { threadId: "nobody" }, () => false],
  ];

  describe.each(scopes)("of %s", (_, scope, belongs) => {
    test.each(ORDERS)("by %s", async (orderBy) => {
      const { store } = fixture.current;
      const [key = "", direction] = orderBy.split(" ");
      const sorted = all.filter(belongs).sort(compare[key]);
      if (direction === "DESC") sorted.reverse();
      const wanted = sorted.map(({ state }) => state);

      const whole = await store.listWithOptions({ ...scope, orderBy, limit: 1000 });
      expect(whole.checkpoints.map(({ state }) => state)).toEqual(wanted);
      expect(whole).toMatchObject({ total: wanted.length, nextCursor: undefined });

      const paged: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listWithOptions({ ...scope, orderBy, limit: 7, cursor });
        expect(page.total).toBe(wanted.length);
        expect(page.checkpoints.length).toBe(Math.min(7, wanted.length - paged.length));
        paged.push(...page.checkpoints.map(({ state }) => state));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(paged).toEqual(wanted);

      const skipped = await store.listWithOptions({ ...scope, orderBy, limit: 4, offset: 3 });
      expect(skipped.checkpoints.map(({ state }) => state)).toEqual(wanted.slice(3, 7));
    });
  });

  test("what comes and goes meanwhile shifts no page", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const save = (i: number) =>
      store.save({ id: `${threadId}/${i}`, threadId, version: 2 * i, state: i });
    for (let i = 1; i <= 20; i += 1) await save(i);
    const query = { threadId, orderBy: "version ASC", limit: 8 } as const;
    const first = await store.listWithOptions(query);
    await store.delete(`${threadId}/2`);
    await store.save({ id: fresh("cp"), threadId, version: 3, state: "too late" });
    await store.save({ id: fresh("cp"), threadId, version: 25, state: "in time" });
    const second = await store.listWithOptions({ ...query, cursor: first.nextCursor });
    expect(second.checkpoints.map(({ state }) => state)).toEqual([
      9,
      10,
      11,
      12,
      "in time",
      13,
      14,
      15,
    ]);
    expect(second.total).toBe(20);
  });

  test("a page without its count does not count", async () => {
    const { store } = fixture.current;
    const query = { threadId: "a", limit: 3 };
    const first = await store.listWithOptions({ ...query, withTotal: false });
    expect(first.total).toBeUndefined();
    const { nextCursor: cursor } = first;
    const second = await store.listWithOptions({ ...query, withTotal: false, cursor });
    expect(second.total).toBeUndefined();
    expect(second.checkpoints).toHaveLength(3);
    const counted = await store.listWithOptions({ ...query, cursor });
    expect(counted.total).toBe(all.filter(({ threadId }) => threadId === "a").length);
  });

  test("a cursor of another query, or none at all, is refused before the database is asked", async () => {
    const { store } = fixture.current;
    const query = { threadId: "a", orderBy: "version ASC", limit: 3 } as const;
    const { nextCursor } = await store.listWithOptions(query);
    const before = store.getMetrics().statements;
    const others: ListRecordsOptions[] = [
      { ...query, threadId: "B" },
      { ...query, orderBy: "version DESC" },
      { ...query, orderBy: "createdAt ASC" },
      { ...query, namespace: "" },
      { ...query, executionId: "run 1" },
      { ...query, filter: { even: true } },
      { orderBy: "version ASC" },
    ];
    for (const other of others) {
      expect(await failure(store.listWithOptions({ ...other, cursor: nextCursor }))).toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining("another query"),
      });
    }
    const mangled = [
      "",
      "x",
      `${nextCursor}x`,
      nextCursor?.slice(0, -4),
      Buffer.from("[]").toString("base64url"),
      Buffer.from('["0000",null,"1"]').toString("base64url"),
      Buffer.from("{").toString("base64url"),
      7,
      null,
    ];
    for (const cursor of mangled) {
      expect(
        await failure(store.listWithOptions({ ...query, cursor: cursor as string })),
      ).toMatchObject({ code: "INVALID_OPTION" });
    }
    // One whose values were changed by hand.
    const parts = JSON.parse(Buffer.from(nextCursor ?? "", "base64url").toString()) as unknown[];
    for (const value of ["1; DROP TABLE x", "", "1e9", 1, null, "99999999999999999999"]) {
      const cursor = Buffer.from(JSON.stringify([parts[0], parts[1], value, ...parts.slice(3)]));
      expect(
        await failure(store.listWithOptions({ ...query, cursor: cursor.toString("base64url") })),
      ).toMatchObject({ code: "INVALID_OPTION" });
    }
    expect(store.getMetrics().statements).toBe(before);
    await store.listWithOptions({ ...query, limit: 50, cursor: nextCursor });
  });

  test("filters with hostile keys are bound, and find what they say", async () => {
    const { store } = fixture.current;
    const threadId = fresh("thread");
    const hostile = `'; DROP TABLE "x"; --`;
    const metadata = { [hostile]: [hostile], __proto__x: { $1: "\u0000" }, lone: "\ud800" };
    const { id } = await store.save({ id: fresh("cp"), threadId, state: 1, metadata });
    await store.save({ id: fresh("cp"), threadId, state: 2, metadata: { lone: "\ud801" } });
    for (const filter of [
      { [hostile]: [hostile] },
      { __proto__x: { $1: "\u0000" } },
      { lone: "\ud800" },
      JSON.parse('{"__proto__x":{}}') as Record<string, unknown>,
    ]) {
      const { checkpoints } = await store.listWithOptions({ threadId, filter });
      expect(checkpoints.map((one) => one.id)).toEqual([id]);
    }
    const none = await store.listWithOptions({ threadId, filter: JSON.parse('{"__proto__":1}') });
    expect(none.checkpoints).toEqual([]);
  });
});
