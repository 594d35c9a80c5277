import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { before, deadlineIn } from "../../src/postgres/deadline.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const late = (): Error => new Error("late");

test.each([60_000, Number.POSITIVE_INFINITY])(
  "what comes within %d ms leaves no timer behind",
  async (ms) => {
    expect(await before(deadlineIn(ms), Promise.resolve(1), late)).toBe(1);
    const failure = before(deadlineIn(ms), Promise.reject(new Error("failed")), late);
    await expect(failure).rejects.toThrow("failed");
    expect(vi.getTimerCount()).toBe(0);
  },
);

test("what comes later is late, whatever becomes of it", async () => {
  let fail: (error: Error) => void = () => {};
  const promise = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const failure = expect(before(deadlineIn(60_000), promise, late)).rejects.toThrow("late");
  vi.advanceTimersByTime(60_000);
  await failure;
  // Nobody hears of it, and nobody has to.
  fail(new Error("failed"));
});
