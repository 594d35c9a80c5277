/** What the values' format promises, as properties of random values. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { JsonPlusSerializer } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { deserialize, serialize } from "../../../src/values/codec.ts";
import { anyValue, comparable, sharedValue } from "./arbitraries.ts";
import { anyMessage } from "./message-arbitraries.ts";
import { roundTrip } from "./store.ts";

const jsonPlus = new JsonPlusSerializer();

async function theirs(value: unknown): Promise<string> {
  const [, bytes] = await jsonPlus.dumpsTyped([value]);
  return new TextDecoder().decode(bytes);
}

/** Equal to the last bit: prototypes, `-0`, own keys called `constructor`. */
function same(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  assert.deepStrictEqual(actual, expected);
  throw new Error("not the same, though it looks the same");
}

const shared = fc.oneof(sharedValue, anyMessage).filter(comparable);

export const PROPERTIES = {
  "what JsonPlusSerializer writes is read as it reads it": fc.asyncProperty(
    shared,
    async (value) => {
      const text = await theirs(value);
      same(await deserialize(text), await jsonPlus.loadsTyped("json", text));
    },
  ),
  "what is written here it reads as what it writes itself": fc.asyncProperty(
    shared,
    async (value) => {
      const expected = await jsonPlus.loadsTyped("json", await theirs(value));
      same(await jsonPlus.loadsTyped("json", serialize([value], "x")), expected);
    },
  ),
  "messages: written and read here, they are what it makes of them": fc.asyncProperty(
    anyMessage.filter(comparable),
    async (value) => {
      const expected = await jsonPlus.loadsTyped("json", await theirs(value));
      same(await deserialize(serialize([value], "x")), expected);
    },
  ),
  "whatever was put comes back equal": fc.asyncProperty(
    fc.oneof(anyValue, fc.array(anyValue, { minLength: 3 })),
    async (given) => {
      // A Buffer that is the whole value is stored as bare bytes and comes back as a Uint8Array.
      const value = Buffer.isBuffer(given) ? [given] : given;
      same(await deserialize(serialize(value, "x")), value);
      same(await roundTrip(value), value);
    },
  ),
};
