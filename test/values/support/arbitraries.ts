import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import fc, { type Arbitrary } from "fast-check";
import { serialize } from "../../../src/values/codec.ts";
import { commonKey, fresh, hostileKey, number, objectOf, text } from "./json-arbitraries.ts";
import { hostileMessage, message } from "./message-arbitraries.ts";

/** JsonPlusSerializer loses entries that are called `__proto__`; here they are kept. */
export const comparable = (value: unknown): boolean =>
  !serialize([value], "x").includes('"__proto__"');

/** What both serializers write: no record of theirs among the plain objects, no `-0`. */
export const sharedValue: Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    text,
    number,
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.array(tie("value"), { maxLength: 6 }),
    objectOf(commonKey, tie("value")),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((e) => new Map(e)),
    fresh(
      () => /a+/gi,
      () => /\//u,
      () => new Error("broken"),
      () => new Error(""),
    ),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new Uint8Array(bytes)),
    tie("value").map((value) => new DeltaSnapshot(value)),
    message,
  ),
})).value;

/** What only this package keeps. */
export const anyValue: Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    sharedValue,
    hostileMessage,
    fc.double(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.float32Array({ maxLength: 5 }),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
    fresh(
      () => new TypeError("no"),
      () => new RangeError("far", { cause: { code: 1 } }),
    ),
    objectOf(fc.oneof(commonKey, hostileKey), tie("value")),
    fresh(
      () => ({ lc: 2, type: "undefined" }),
      () => ({ lc: 2, type: "delta_snapshot", value: 1 }),
      () => ({ lc: 2, type: "constructor", id: ["Set"], args: [[1]] }),
      () => ({ lc: 1, type: "constructor", id: ["evil", "Code"], kwargs: { a: 1 } }),
      () => ({ lc: 1, type: "secret", id: ["HOME"] }),
      () => ({ lg_name: "Something", node: "a", args: {} }),
    ),
    fc.array(tie("value"), { maxLength: 6 }),
  ),
})).value;
