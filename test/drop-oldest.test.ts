import { expect, test } from "vitest";
import { dropOldest } from "../src/drop-oldest.ts";

test("drops what has been in a set or map for longest, and only where it holds too much", () => {
  const set = new Set(["a", "b", "c"]);
  dropOldest(set, 3);
  expect([...set]).toEqual(["a", "b", "c"]);
  dropOldest(set, 2);
  expect([...set]).toEqual(["b", "c"]);

  const map = new Map([
    ["a", 1],
    ["b", 2],
  ]);
  map.delete("a");
  map.set("a", 3);
  dropOldest(map, 1);
  expect([...map]).toEqual([["a", 3]]);
});
