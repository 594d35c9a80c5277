/** Which checkpoints a limit wants, and when the run of a subgraph is over. */
import { describe, expect, test } from "vitest";
import { keepLast } from "../../src/retention/keep-last.ts";
import type { CheckpointStub } from "../../src/retention/keep-set.ts";

let seq = 0;
function stub(namespace: string, id: string, more: Partial<CheckpointStub> = {}): CheckpointStub {
  seq += 1;
  const rest = { parentId: null, state: "alive", executionId: null, parents: null } as const;
  return { namespace, id, seq, ...rest, ...more };
}

const wanted = (stubs: CheckpointStub[], limit: number, remove = true): string[] =>
  [...keepLast(limit, remove).wanted(stubs)]
    .map(({ namespace, id }) => `${namespace}/${id}`)
    .sort();

test("the newest of each namespace by seq, of those that can be seen", () => {
  const stubs = [
    stub("", "a"),
    stub("", "b"),
    stub("x", "c"),
    stub("", "d"),
    stub("", "e", { state: "expired" }),
    stub("", "f", { state: "hidden" }),
  ].reverse();
  expect(wanted(stubs, 2, false)).toEqual(["/b", "/d", "x/c"]);
  expect(wanted(stubs, 1, false)).toEqual(["/d", "x/c"]);
});

describe("the run of a subgraph", () => {
  const ranBy = (parents: object): Partial<CheckpointStub> => ({
    parents: JSON.stringify(parents),
  });

  test("goes once the checkpoint that ran it is not wanted, with the runs inside it", () => {
    const stubs = [
      stub("", "r1"),
      stub("child:1", "c1", ranBy({ "": "r1" })),
      stub("child:1|inner:1", "i1", ranBy({ "": "r1", "child:1": "c1" })),
      stub("", "r2"),
      stub("child:2", "c2", ranBy({ "": "r2" })),
      stub("child:2|inner:2", "i2", ranBy({ "": "r2", "child:2": "c2" })),
    ];
    expect(wanted(stubs, 2)).toHaveLength(6);
    expect(wanted(stubs, 1)).toEqual(["/r2", "child:2/c2", "child:2|inner:2/i2"]);
    expect(wanted(stubs, 1, false)).toHaveLength(5);
  });

  test("stays while it puts, though it was started from an old checkpoint", () => {
    const stubs = [stub("", "r1"), stub("", "r2"), stub("child:1", "c1", ranBy({ "": "r1" }))];
    expect(wanted(stubs, 1)).toEqual(["/r2", "child:1/c1"]);
  });

  test("stays where the checkpoint that runs it is still to be put", () => {
    const stubs = [stub("", "r1"), stub("child:1", "c1", ranBy({ "": "r2" }))];
    expect(wanted(stubs, 1)).toEqual(["/r1", "child:1/c1"]);
  });

  test.each([
    ["has a memory of its own", "child", ranBy({ "": "r1" })],
    ["does not say what ran it", "child:1", ranBy({})],
    ["says nothing", "child:1", {}],
    ["says what is no id", "child:1", ranBy({ "": 7 })],
    ["is a record's", "@records/x", {}],
  ])("stays if it %s", (_, namespace, more) => {
    const stubs = [stub("", "r1"), stub(namespace, "c1", more), stub("", "r2")];
    expect(wanted(stubs, 1)).toContain(`${namespace}/c1`);
  });
});
