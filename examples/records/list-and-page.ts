/** Lists: filters, orders, pages by offset and by cursor. */
import assert from "node:assert/strict";
import { openStore } from "./open.ts";

await using store = await openStore();
const step = (i: number) => ({
  id: `page/${i}`,
  threadId: "long",
  state: { i },
  metadata: { kind: i % 2 === 0 ? "even" : "odd" },
});
await store.saveBatch(Array.from({ length: 25 }, (_, i) => step(i)));

// By offset, as a table on a screen does. `orderBy` comes from a closed set.
const second = await store.listWithOptions<{ i: number }>({
  threadId: "long",
  orderBy: "version ASC",
  limit: 10,
  offset: 10,
});
assert.equal(second.total, 25);
assert.equal(second.checkpoints[0]?.state.i, 10);

// By cursor, which costs the same on every page, however far it is.
const seen: number[] = [];
let cursor: string | undefined;
do {
  const page = await store.listWithOptions<{ i: number }>({
    threadId: "long",
    filter: { kind: "even" },
    limit: 5,
    cursor,
  });
  seen.push(...page.checkpoints.map(({ state }) => state.i));
  cursor = page.nextCursor;
} while (cursor);
console.log(seen.join(" "));
assert.deepEqual(seen, [24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0]);
