/** Messages that are put together are those that the constructors make. */
import {
  AIMessage,
  ChatMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { assembler, type MessageConstructor } from "../../src/values/message-assembly.ts";

type Fields = Record<PropertyKey, unknown>;

const CLASSES = { AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage };
const classes = Object.entries(CLASSES) as [string, unknown][] as [string, MessageConstructor][];

/** Mostly the first: what a constructor only sets is what most messages consist of. */
const mostly = (usual: fc.Arbitrary<unknown>, ...rare: fc.Arbitrary<unknown>[]) =>
  fc.oneof(
    { arbitrary: usual, weight: 8 },
    ...rare.map((arbitrary) => ({ arbitrary, weight: 1 })),
    { arbitrary: fc.constantFrom(null, undefined), weight: 1 },
  );

const call = fc.record({
  id: fc.string(),
  name: fc.string(),
  args: fc.dictionary(fc.string(), fc.string()),
});
const block = fc.oneof(
  fc.record({ type: fc.constant("text"), text: fc.string() }),
  call.map((one) => ({ type: "tool_call", ...one })),
);
const rawCall = call.map(({ id, name, args }) => ({
  id,
  type: "function",
  function: { name, arguments: JSON.stringify(args) },
}));
const data = fc.dictionary(fc.string(), fc.jsonValue());

/** All that a constructor looks at, each there, null, undefined or missing. */
const fields = fc.record(
  {
    content: mostly(fc.string(), fc.array(block)),
    additional_kwargs: mostly(data, fc.record({ tool_calls: mostly(fc.array(rawCall)) })),
    response_metadata: mostly(
      data,
      fc.constant({ output_version: "v1" }),
      fc.constant({ output_version: "v0", model_provider: "anthropic" }),
    ),
    tool_calls: mostly(fc.array(call)),
    invalid_tool_calls: mostly(fc.array(call)),
    contentBlocks: fc.array(block),
    id: mostly(fc.string()),
    name: mostly(fc.string()),
    role: fc.string(),
    usage_metadata: mostly(fc.constant({ input_tokens: 1 })),
    tool_call_id: fc.string(),
    status: fc.constantFrom("success", "error"),
    artifact: fc.jsonValue(),
    metadata: fc.jsonValue(),
    more: fc.jsonValue(),
  },
  {
    requiredKeys: [
      "content",
      "additional_kwargs",
      "response_metadata",
      "tool_calls",
      "invalid_tool_calls",
    ],
  },
);

function outcome(make: (fields: Fields) => object, given: Fields) {
  const fields = structuredClone(given);
  try {
    const message = make(fields) as Fields;
    return { message, keys: Reflect.ownKeys(message), isKwargs: message.lc_kwargs === fields };
  } catch (error) {
    return { error: String(error) };
  }
}

describe.each(classes)("%s", (name, type) => {
  const assemble = assembler(name, type);

  test("whatever its fields", () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    fc.assert(
      fc.property(fields, (given) => {
        const constructed = outcome((own) => new type(own as never), given);
        const assembled = outcome(assemble, given);
        expect(assembled).toStrictEqual(constructed);
        expect(JSON.stringify(assembled)).toBe(JSON.stringify(constructed));
      }),
      { numRuns: 500 },
    );
  });
});

const PLAIN = {
  content: "c",
  id: "i",
  additional_kwargs: {},
  response_metadata: {},
  tool_calls: [],
  invalid_tool_calls: [],
  tool_call_id: "t",
};

describe("the constructor", () => {
  type Base = new (fields: never) => Fields;
  const counted = (name: string, base: Base) => {
    let calls = 0;
    class Counted extends base {
      constructor(own: never) {
        super(own);
        calls += 1;
      }
    }
    const assemble = assembler(name, Counted);
    calls = 0;
    return { Counted, assemble, calls: () => calls };
  };

  test.each(Object.entries({ AIMessage, HumanMessage, SystemMessage, ToolMessage }))(
    "of %s does not run where it would only set fields",
    (name, type) => {
      const { Counted, assemble, calls } = counted(name, type as never);
      const message = assemble({ ...PLAIN }) as Fields;
      expect(calls()).toBe(0);
      expect(message).toBeInstanceOf(type);
      expect(message.constructor).toBe(Counted);
      expect(message.text).toBe("c");
    },
  );

  test("runs for fields that it does more with", () => {
    const { assemble, calls } = counted("AIMessage", AIMessage as never);
    assemble({ ...PLAIN, contentBlocks: [{ type: "text", text: "b" }] });
    expect(calls()).toBe(1);
  });

  const lengths = new WeakMap<object, number>();
  const others: [string, unknown][] = [
    [
      "sets one more property",
      class extends AIMessage {
        more = true;
      },
    ],
    [
      "has private fields",
      class extends AIMessage {
        #length = 1;
        override getType() {
          return this.#length === 1 ? super.getType() : "ai";
        }
      },
    ],
    [
      "keeps beside it what a getter needs",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          lengths.set(this, 1);
        }
        override get text() {
          return super.text.repeat(lengths.get(this) ?? 2);
        }
      },
    ],
    [
      "copies what it is given",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          this.additional_kwargs = { ...this.additional_kwargs };
        }
      },
    ],
    [
      "lacks a property",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          Reflect.deleteProperty(this, Symbol.for("langchain.message"));
        }
      },
    ],
    [
      "fills in what is missing",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          this.id ??= "generated";
        }
      },
    ],
    [
      "changes in place what it is given",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          this.response_metadata.seen = true;
        }
      },
    ],
    [
      "changes what it is given",
      class extends AIMessage {
        constructor(own: { content: string }) {
          super(own);
          if (Array.isArray(this.content))
            this.content = [...this.content, { type: "text", text: "" }];
        }
      },
    ],
  ];
  test.each(others)("of another LangChain, which %s, runs", (_, base) => {
    const { assemble, calls } = counted("AIMessage", base as Base);
    assemble({ ...PLAIN });
    expect(calls()).toBe(1);
  });
});
