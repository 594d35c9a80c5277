/** Case 33: what is not a limit is an error before the database is asked, never "delete all". */
import { expect, test } from "vitest";
import { cleanupExpired } from "../../src/retention/expiry.ts";
import { prune } from "../../src/retention/prune.ts";
import { startSweeper } from "../../src/retention/sweeper.ts";
import { createTrimmer } from "../../src/retention/trimmer.ts";
import { listThreads } from "../../src/threads/list-threads.ts";

/** Whoever asks it for anything fails. */
const nowhere = {} as Parameters<typeof prune>[0];

test.each([
  [{ keepLast: 0 }, /keepLast.*1 or more.*got 0/],
  [{ keepLast: -1 }, /keepLast.*1 or more.*got -1/],
  [{ keepLast: Number.NaN }, /keepLast.*got NaN/],
  [{ keepLast: 1.5 }, /keepLast.*got 1.5/],
  [{ keepLast: "3" as never }, /keepLast.*got "3"/],
  [{ keepLast: null as never }, /keepLast.*got null/],
  [{ keepLast: Number.POSITIVE_INFINITY }, /keepLast/],
  [{}, /keepLast.*strategy.*none/],
  [{ keepLast: 1, strategy: "delete" as const }, /more than one/],
  [{ strategy: "keep_last" as never }, /strategy must be/],
  [{ strategy: "__proto__" as never }, /strategy must be/],
  [{ keepLast: 1, all: true as const }, /which threads.*more than one/],
  [{ keepLast: 1, keep: 2 } as never, /no option "keep"/],
  [{ keepLast: 1, subgraphRuns: "drop" as never }, /subgraphRuns/],
  [{ keepLast: 1, dryRun: "no" as never }, /dryRun/],
])("case 33: prune of %o", async (options, message) => {
  await expect(prune(nowhere, { threads: ["a"], ...options })).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(message),
  });
});

test.each([
  [{ olderThan: 0 }, "INVALID_OPTION"],
  [{ olderThan: -5 }, "INVALID_OPTION"],
  [{ olderThan: Number.NaN }, "INVALID_OPTION"],
  [{ olderThan: "soon" as never }, "INVALID_OPTION"],
  [{ olderThan: null as never }, "INVALID_OPTION"],
  [{ olderThan: new Date(Number.NaN) }, "INVALID_OPTION"],
  [{ all: false as never }, "INVALID_OPTION"],
  [{ threads: "42" as never }, "INVALID_OPTION"],
  [{ threads: [""] }, "INVALID_CONFIG"],
  [{ threads: [undefined as never] }, "INVALID_CONFIG"],
  [{}, "INVALID_OPTION"],
])("case 33: prune of %o chooses no threads", async (options, code) => {
  await expect(prune(nowhere, { strategy: "delete", ...options })).rejects.toMatchObject({ code });
});

test.each([0, -1, Number.NaN, 2.5, "10"])("case 33: %o is no batch and no limit", async (value) => {
  const wrong = { code: "INVALID_OPTION" };
  const given = value as number;
  await expect(cleanupExpired(nowhere, { batch: given })).rejects.toMatchObject(wrong);
  await expect(listThreads(nowhere, { limit: given })).rejects.toMatchObject(wrong);
  expect(() => startSweeper(nowhere, { batch: given })).toThrow(expect.objectContaining(wrong));
  expect(() => createTrimmer(nowhere, { maxCheckpoints: given })).toThrow(
    expect.objectContaining(wrong),
  );
});

test("case 33: an interval is a duration above zero", () => {
  for (const interval of [0, -1, Number.NaN, "often" as never]) {
    expect(() => startSweeper(nowhere, { interval })).toThrow(/interval must be a duration/);
  }
});
