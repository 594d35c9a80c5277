import fc from "fast-check";
import { expect, test } from "vitest";
import { filterable } from "../../src/storage/filter-metadata.ts";
import { decodeName, encodeName } from "../../src/storage/names.ts";

const hostile = ["\0", "\u001a", "\ud800", "\udbff", "\udc00", "\udfff", "\udc00\ud800"];

test.each(hostile)("%j is escaped in keys and in values, however deep", (text) => {
  const metadata = { [text]: [`a${text}`], deep: [{ deeper: { [`${text}b`]: text } }] };
  const escaped = JSON.parse(filterable(metadata)) as unknown;
  expect(escaped).toEqual({
    [encodeName(text)]: [encodeName(`a${text}`)],
    deep: [{ deeper: { [encodeName(`${text}b`)]: encodeName(text) } }],
  });
  expect(encodeName(text)).not.toBe(text);
  expect(decodeName(encodeName(text))).toBe(text);
});

test("what needs no escaping is plain JSON", () => {
  const text = fc.string({ unit: "grapheme" }).filter((one) => encodeName(one) === one);
  const metadata = fc.dictionary(text, fc.oneof(text, fc.array(text), fc.integer()));
  fc.assert(
    fc.property(metadata, (one) => {
      expect(filterable(one)).toBe(JSON.stringify(one));
    }),
  );
  // Looks like an escape, and is none.
  expect(filterable({ path: "C:\\u0000" })).toBe(JSON.stringify({ path: "C:\\u0000" }));
});

test("what JSON cannot say is left out of the copy", () => {
  expect(filterable({ big: 1n })).toBe("{}");
  expect(filterable(undefined)).toBe("{}");
});
