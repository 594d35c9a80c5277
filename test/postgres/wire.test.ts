/** What arrives of results, and of parameters in binary. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  byteaArray,
  createDatabase,
  type Database,
  int4Array,
  int8Array,
  statement,
  textArray,
  uuidArray,
} from "../../src/postgres/index.ts";
import { writeText } from "../../src/postgres/text.ts";
import { backends, type OpenBackend } from "../support/backends.ts";

describe.each(backends)("on $name", (backend) => {
  let opened: OpenBackend;
  let db: Database;
  beforeAll(async () => {
    opened = await backend.open();
    db = createDatabase({ pool: opened.pool });
  });
  afterAll(async () => {
    await db.close();
    await opened.close();
  });

  test("text and bytea that holds UTF-8 arrive exact, other types cast to text", async () => {
    const tricky = "é😀\u{10FFFF}\u0001\\x41'\"\t\r\n";
    const rows = await db.execute(
      statement(
        "wire",
        `SELECT $1::text, $2::bytea, ''::bytea, ''::text, NULL::text, '\\xf09f9880'::bytea,
           42::text, '{"a": 1}'::jsonb::text, encode('\\xff00fe'::bytea, 'base64')`,
      ),
      [tricky, Buffer.from(`${tricky}\0`)],
    );
    expect(rows).toEqual([[tricky, `${tricky}\0`, "", "", null, "😀", "42", '{"a": 1}', "/wD+"]]);
  });

  test("a statement without parameters and without a name arrives the same", async () => {
    const unnamed = createDatabase({ pool: opened.pool, namedStatements: false });
    const rows = await unnamed.execute(statement("wire", `SELECT '\\xc3a9'::bytea`), []);
    expect(rows).toEqual([["é"]]);
    await unnamed.close();
  });

  test("binary results hold no hex: what has to be cast is mangled when it is not", async () => {
    // Why the casts in all statements are not decoration.
    const rows = await db.execute(statement("wire", "SELECT 65::int4, '\\xff'::bytea"), []);
    expect(rows).toEqual([["\0\0\0A", "\ufffd"]]);
  });

  test("large values arrive whole", async () => {
    const large = "😀é1".repeat(700_000);
    const rows = await db.execute(statement("wire", "SELECT $1::bytea, $2::text"), [
      Buffer.from(large),
      large,
    ]);
    expect(rows[0]?.[0] === large && rows[0]?.[1] === large).toBe(true);
  });

  // Each property asks the server for the array's elements, and for what makes an array equal
  // another: its type, its dimensions and its lower bound.
  const elements = (type: string, asText: string) =>
    statement(
      `array_${type}`,
      `SELECT (coalesce(array_ndims(a), 0) || ' ' || coalesce(array_lower(a, 1), 1) || ' ' || pg_typeof(a))::text,
         coalesce((SELECT json_agg(${asText} ORDER BY i)::text FROM unnest(a) WITH ORDINALITY AS u(e, i)), '[]')
       FROM (SELECT $1::${type}[]) AS given(a)`,
    );

  const wellFormed = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "\u0001"));
  const uuid = fc.uuid();
  const cases = [
    {
      type: "text",
      arbitrary: fc.array(fc.option(wellFormed)),
      pack: textArray,
      asText: "e",
      show: (value: string) => value,
    },
    {
      type: "bytea",
      arbitrary: fc.array(fc.option(fc.string({ unit: "binary" }))),
      pack: byteaArray,
      asText: "encode(e, 'hex')",
      show: (value: string) => Buffer.from(value).toString("hex"),
    },
    {
      type: "bytea",
      arbitrary: fc.array(fc.option(fc.uint8Array())),
      pack: byteaArray,
      asText: "encode(e, 'hex')",
      show: (value: Uint8Array) => Buffer.from(value).toString("hex"),
    },
    {
      type: "uuid",
      arbitrary: fc.array(fc.option(uuid)),
      pack: uuidArray,
      asText: "e",
      show: (value: string) => value,
    },
    {
      type: "int4",
      arbitrary: fc.array(fc.option(fc.integer())),
      pack: int4Array,
      asText: "e",
      show: (value: number) => value,
    },
    {
      type: "int8",
      arbitrary: fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
      pack: int8Array,
      asText: "e::text",
      show: (value: bigint) => String(value),
    },
  ] as readonly {
    type: string;
    arbitrary: fc.Arbitrary<unknown[]>;
    pack: (values: never[]) => Buffer;
    asText: string;
    show: (value: never) => unknown;
  }[];

  test.each(cases)("arrays of $type arrive as they were packed", async (one) => {
    const { type, arbitrary, pack, asText, show } = one;
    const ask = elements(type, asText);
    await fc.assert(
      fc.asyncProperty(arbitrary, async (values) => {
        const [row] = await db.execute(ask, [pack(values as never[])]);
        expect(row?.[0]).toBe(`${values.length === 0 ? 0 : 1} 1 ${longName(type)}[]`);
        expect(JSON.parse(row?.[1] ?? "")).toEqual(
          values.map((value) => (value === null ? null : show(value as never))),
        );
      }),
      { numRuns: 40 },
    );
  });
});

test("text is written as UTF-8, whatever it is and wherever it stands", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary-ascii", maxLength: 40 }),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  fc.assert(
    fc.property(text, fc.nat(8), (value, at) => {
      const bytes = Buffer.from(value);
      const buffer = Buffer.alloc(bytes.length + at + 1, "#");
      expect(writeText(buffer, value, at, bytes.length)).toBe(bytes.length);
      expect(buffer).toEqual(Buffer.concat([Buffer.alloc(at, "#"), bytes, Buffer.from("#")]));
    }),
  );
});

test("uuids without dashes pack the same; what is no uuid is refused", () => {
  const dashed = "00112233-4455-6677-8899-aabbccddeeff";
  expect(uuidArray([dashed.replaceAll("-", "")])).toEqual(uuidArray([dashed]));
  for (const wrong of ["", "x", dashed.slice(1), `${dashed}0`, dashed.replace("a", "g")]) {
    expect(() => uuidArray([wrong])).toThrow(/uuid/);
  }
});

function longName(type: string): string {
  return { int4: "integer", int8: "bigint" }[type] ?? type;
}
