/** The tree of text, without a database. */
import { expect, test } from "vitest";
import { forkTree } from "../../src/cli/fork-tree.ts";
import { stateDiff } from "../../src/cli/state-diff.ts";

/** `"b<a"`: b has parent a; put in this order. */
const draw = (...nodes: string[]): string[] =>
  forkTree(
    nodes.map((text, seq) => {
      const [id = "", parentId = null] = text.split("<");
      return { id, parentId, seq };
    }),
  ).map(({ graph, node, orphan }) => `${graph}${node.id}${orphan ? " orphan" : ""}`);

test("a chain is a column", () => {
  expect(draw("a", "b<a", "c<b")).toEqual(["● a", "● b", "● c"]);
});

test("the branch that was put to last is the trunk, also where branches have branches", () => {
  expect(draw("a", "b<a", "c<a", "d<c", "e<b", "f<c", "g<c", "h<e")).toEqual([
    "● a",
    "├─● c",
    "│ ├─● d",
    "│ ├─● f",
    "│ ● g",
    "● b",
    "● e",
    "● h",
  ]);
});

test("what lost its parent begins anew", () => {
  expect(draw("b<a", "c<b", "z<y")).toEqual(["● b orphan", "● c", "● z orphan"]);
});

test("a long thread and a wide fork do not overflow the stack or take forever", () => {
  const chain = Array.from({ length: 100_000 }, (_, i) => (i === 0 ? "0" : `${i}<${i - 1}`));
  expect(draw(...chain)).toHaveLength(100_000);
  const wide = Array.from({ length: 20_000 }, (_, i) => (i === 0 ? "0" : `${i}<0`));
  expect(draw(...wide).at(-1)).toBe("● 19999");
});

test("differences are named by their path", () => {
  const before = { a: [1, { b: "x" }], gone: null, "odd key": 1, same: { deep: [1] } };
  const after = { a: [1, { b: "y" }, 3], "odd key": { z: 2 }, same: { deep: [1] } };
  expect(stateDiff(before, after)).toEqual([
    { path: "a[1].b", kind: "changed", before: "x", after: "y" },
    { path: "a[2]", kind: "added", after: 3 },
    { path: "gone", kind: "removed", before: null },
    { path: '"odd key"', kind: "changed", before: 1, after: { z: 2 } },
  ]);
  expect(stateDiff([], {})).toEqual([{ path: "", kind: "changed", before: [], after: {} }]);
});
