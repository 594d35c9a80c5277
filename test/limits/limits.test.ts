/** Values larger than anybody should have. `npm run torture -- --only large` does the same with 100 MB. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { checkpointOf, putAll, threadConfig, threadOf } from "../contract/material.ts";
import { newest, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { expectSame } from "../values/support/same.ts";
import { inAProcess } from "./in-a-process.ts";
import { LARGE_VALUES } from "./large-values.ts";

let open: OpenSaver;
beforeAll(async () => {
  open = await openSaver(newest);
});
afterAll(() => open.close());

const made = (kind: string, size: number): Record<string, unknown> =>
  LARGE_VALUES[kind]?.(size) ?? {};

test.each([
  ["an array of 1,000,000 numbers", "numbers", 10_000_000],
  ["10,000 channels", "channels", 1_000_000],
  ["1,000 levels of nesting", "nested", 10_000],
])("%s comes back", async (_, kind, size) => {
  const config = threadConfig(kind);
  await putAll(open.saver, config, checkpointOf(made(kind, size)));
  const read = await open.empty().getTuple(config);
  expectSame(read?.checkpoint.channel_values, made(kind, size));
});

test("10,000 levels are refused with the limit, and nothing is half there", async () => {
  const config = threadConfig("nested");
  await expect(
    putAll(
      open.saver,
      config,
      checkpointOf({ list: ["x".repeat(5000)], ...made("nested", 100_000) }),
    ),
  ).rejects.toMatchObject({
    code: "SERIALIZATION_FAILED",
    message: expect.stringMatching(/channel "big" at .*: more than 1000 levels of nesting/),
  });
  const rows = await open.rowCounts(threadOf(config));
  expect(Object.values(rows)).toEqual([0, 0, 0, 0, 0]);
});

/**
 * Beside the value a put and a get need less than four times its size: `npm run torture -- --only large` shows it with
 * 100 MB. Of smaller values, what V8 has not collected yet is a larger part.
 */
test.each([
  ["one string", "string", 40_000_000],
  ["strings of a kilobyte", "strings", 20_000_000],
  ["bytes", "bytes", 40_000_000],
  ["1,000,000 numbers", "numbers", 10_000_000],
  ["10,000 channels", "channels", 40_000_000],
])(
  "%s: put and got in a few times their size",
  async (_, kind, size) => {
    const place = { connString: inject("postgres")["18"], schema: open.schema };
    const put = await inAProcess(place, "put", kind, size);
    expect(put.message).toBeUndefined();
    expect(put.bytes / size).toBeLessThan(5);
    const get = await inAProcess(place, "get", kind, size);
    expect(get).toMatchObject({ same: true });
    expect(get.bytes / size).toBeLessThan(5);
  },
  120_000,
);
