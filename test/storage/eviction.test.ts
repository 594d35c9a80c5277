/** States that are larger than what memory may hold of them. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backends } from "../support/backends.ts";
import { checkpoint, type Engine, longList, openEngine } from "./engine.ts";

describe.each(backends)("memory smaller than a state on $name", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine(backend);
  });
  afterAll(() => engine.close());

  test("it is read and put as if there were none", async () => {
    const storage = engine.another({ cacheBytes: 100_000 });
    const thread = randomUUID();
    const list = longList(300);
    for (let n = 0; n < 4; n += 1) {
      list.push(`more ${n} ${"y".repeat(300)}`);
      await storage.put(checkpoint(thread, { list }));
      for (let again = 0; again < 3; again += 1) {
        expect((await storage.read(thread, ""))?.values.get("list")).toEqual(list);
      }
    }
  });

  test("a list of threads, each of which fits", async () => {
    const storage = engine.another({ cacheBytes: 260_000 });
    const threads = [randomUUID(), randomUUID()];
    const list = longList(150);
    for (const thread of threads)
      await storage.put(checkpoint(thread, { list: [thread, ...list] }));
    for (const thread of threads) await storage.read(thread, "");
    const read = [];
    for await (const one of storage.list({ limit: 2 })) {
      read.push((one.values.get("list") as string[])[0]);
      await storage.read(threads[0] as string, "");
    }
    expect(read.sort()).toEqual(threads.sort());
  });
});
