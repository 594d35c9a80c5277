/** Checkpoints that expire: invisible at once, removed in batches. */
import assert from "node:assert/strict";
import { openStore } from "./open.ts";

// With a `ttl` a sweeper runs in the background, one at a time across all processes.
await using store = await openStore({ ttl: { checkpoints: "30d" }, sweeper: false });

const kept = await store.save({ id: "kept", threadId: "visits", state: 1 });
assert.ok(kept.expiresAt && kept.expiresAt.getTime() > Date.now());

// A record may say it for itself, in a field or in its metadata; null is never.
await store.save({ id: "old", threadId: "visits", state: 2, expiresAt: new Date(Date.now() - 1) });
await store.save({
  id: "older",
  threadId: "visits",
  state: 3,
  metadata: { expires_at: "2020-01-01T00:00:00Z" },
});
await store.save({ id: "forever", threadId: "visits", state: 4, expiresAt: null });
const visible = await store.listByThread("visits");
assert.deepEqual(
  visible.map(({ id }) => id),
  ["kept", "forever"],
);

const removed = await store.cleanupExpired();
console.log(removed);
assert.equal(removed.checkpoints, 2);
