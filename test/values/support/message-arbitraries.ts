import {
  AIMessage,
  AIMessageChunk,
  ChatMessage,
  ChatMessageChunk,
  FunctionMessage,
  FunctionMessageChunk,
  HumanMessage,
  HumanMessageChunk,
  RemoveMessage,
  SystemMessage,
  SystemMessageChunk,
  ToolMessage,
} from "@langchain/core/messages";
import fc, { type Arbitrary } from "fast-check";
import { commonKey, fresh, hostileKey, json, objectOf, text } from "./json-arbitraries.ts";

const blocks = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("text"), text }),
    fc.record({
      type: fc.constant("image_url"),
      image_url: fc.record({
        url: fc.base64String().map((data) => `data:image/png;base64,${data}`),
      }),
    }),
    fc.record({ type: fc.constant("other"), anything: json }),
  ),
  { maxLength: 4 },
);

const toolCalls = fc.array(
  fc.record({
    name: text,
    args: objectOf(commonKey, json),
    id: text,
    type: fc.constant("tool_call" as const),
  }),
  { maxLength: 3 },
);

const toolCallChunks = fc.array(
  fc.record(
    {
      name: text,
      args: fc.constantFrom('{"a":1}', '{"a"', "", "[1]"),
      id: fc.constantFrom("1", "2"),
      index: fc.constantFrom(0, 1),
      type: fc.constant("tool_call_chunk" as const),
    },
    { requiredKeys: ["name", "args", "index", "type"] },
  ),
  { maxLength: 3 },
);

const legacyToolCalls = fc.array(
  fc.record({
    id: text,
    function: fc.record({ name: text, arguments: fc.constantFrom('{"a":1}', "{", "null") }),
  }),
  { maxLength: 2 },
);

const common = {
  content: fc.oneof(text, blocks),
  id: text,
  name: text,
  additional_kwargs: objectOf(commonKey, json),
  response_metadata: fc.oneof(
    objectOf(commonKey, json),
    fc.constant({ output_version: "v1" }),
    fc.constant({ model_provider: "openai" }),
  ),
};

function built<T>(
  type: new (fields: never) => T,
  fields: Record<string, Arbitrary<unknown>> = {},
  required: string[] = ["content"],
): Arbitrary<T> {
  return fc
    .record({ ...common, ...fields }, { requiredKeys: required as never })
    .map((given) => new type(structuredClone(given) as never));
}

const usage = fc.constantFrom({ input_tokens: 1, output_tokens: 2, total_tokens: 3 });

/** Every message class that is revived without `load`. */
export const message: Arbitrary<object> = fc.oneof(
  built(HumanMessage),
  built(AIMessage, { tool_calls: toolCalls, usage_metadata: usage, customField: json }),
  built(ToolMessage, { tool_call_id: text, artifact: json, status: fc.constantFrom("error") }, [
    "content",
    "tool_call_id",
  ]),
  built(SystemMessage),
  built(ChatMessage, { role: text }, ["content", "role"]),
  built(FunctionMessage, {}, ["content", "name"]),
  fc.record({ id: text }).map((fields) => new RemoveMessage(fields)),
  built(AIMessageChunk, { tool_call_chunks: toolCallChunks, usage_metadata: usage }),
  built(HumanMessageChunk),
  built(SystemMessageChunk),
  built(ChatMessageChunk, { role: text }, ["content", "role"]),
  built(FunctionMessageChunk, {}, ["content", "name"]),
);

const withUndefined = fc.oneof(text, fc.constant(undefined));

/** And those whose constructors leave traces in `lc_kwargs` that no serialiser can tell from data. */
export const anyMessage: Arbitrary<object> = fc.oneof(
  { weight: 10, arbitrary: message },
  built(HumanMessage, {
    additional_kwargs: objectOf(commonKey, fc.oneof(json, objectOf(commonKey, withUndefined))),
    id: withUndefined,
  }),
  built(AIMessage, { contentBlocks: blocks, tool_calls: toolCalls }, ["contentBlocks"]),
  built(HumanMessage, { contentBlocks: blocks }, ["contentBlocks"]),
  built(AIMessage, { additional_kwargs: fc.record({ tool_calls: legacyToolCalls }) }, [
    "content",
    "additional_kwargs",
  ]),
);

const hostileJson: Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    json,
    fc.constantFrom(-0, Number.NaN, 12n),
    fresh(
      () => new Date(5),
      () => /a/,
      () => new TypeError("no"),
      () => ({ lc: 2, type: "undefined" }),
      () => ({ lc: 1, type: "constructor", id: ["evil", "Code"], kwargs: {} }),
      () => ({ lc: 1, type: "secret", id: ["HOME"] }),
      () => ({ __lc_escaped__: { lc: 1 } }),
    ),
    objectOf(fc.oneof(commonKey, hostileKey), tie("value")),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((e) => new Map(e)),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => new Uint8Array(bytes)),
  ),
})).value;

/** Messages that hold what LangChain's own `toJSON` would lose or misread. */
export const hostileMessage: Arbitrary<object> = fc.oneof(
  fc
    .record({ content: text, tool_call_id: text, artifact: hostileJson })
    .map((fields) => new ToolMessage({ ...fields })),
  fc
    .record({ content: text, additional_kwargs: objectOf(hostileKey, hostileJson) })
    .map((fields) => new HumanMessage({ ...fields } as never)),
);
