/** What cannot be meant is an error before the database is asked. */
import { expect, test } from "vitest";
import { copyThread } from "../../src/threads/copy-thread.ts";
import { deleteForRuns, deleteThreads } from "../../src/threads/delete-threads.ts";
import { getThread, listThreads } from "../../src/threads/list-threads.ts";

/** Whoever asks it for anything fails. */
const nowhere = {} as Parameters<typeof copyThread>[0];

test.each([
  [{ updatedAfter: new Date(Number.NaN) }],
  [{ updatedAfter: "yesterday" }],
  [{ metadata: [] }],
  [{ metadata: "user" }],
  [{ limit: 1001 }],
  [{ order: "asc" }],
  [{ cursor: "x" }],
  [{ cursor: 7 }],
])("listThreads of %o", async (options) => {
  const call = listThreads(nowhere, options as never);
  await expect(call).rejects.toMatchObject({ code: "INVALID_OPTION" });
});

test.each([
  ["", "to"],
  ["from", ""],
  ["same", "same"],
  ["from", "\0"],
])("copyThread of %o to %o", async (from, to) => {
  const call = copyThread(nowhere, from, to);
  await expect(call).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});

test.each([["run"], [[""]], [[1]], [null]])("deleteForRuns of %o", async (runIds) => {
  const call = deleteForRuns(nowhere, runIds as never);
  await expect(call).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});

test("deleteThreads and getThread of ids that none can have", async () => {
  await expect(deleteThreads(nowhere, [""])).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  await expect(deleteThreads(nowhere, "42" as never)).rejects.toThrow(/array of thread ids/);
  await expect(deleteThreads(nowhere, [], { force: true } as never)).rejects.toThrow(/no option/);
  await expect(getThread(nowhere, "")).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});
