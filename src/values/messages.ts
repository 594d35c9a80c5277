import { get_lc_unique_name } from "@langchain/core/load/serializable";
import {
  AIMessage,
  AIMessageChunk,
  ChatMessage,
  ChatMessageChunk,
  defaultToolCallParser,
  FunctionMessage,
  FunctionMessageChunk,
  HumanMessage,
  HumanMessageChunk,
  RemoveMessage,
  SystemMessage,
  SystemMessageChunk,
  ToolMessage,
  ToolMessageChunk,
} from "@langchain/core/messages";
import { assembler, type MessageConstructor } from "./message-assembly.ts";
import { isPlain, setEntry } from "./wire.ts";

/** What is needed to write and to revive one of LangChain's message classes without `load`. */
export interface MessageClass {
  readonly name: string;
  readonly prototype: object;
  /** `lc_id`, as `toJSON` writes it. */
  readonly id: readonly string[];
  /**
   * Properties that the constructor sets from fields of the same name. `toJSON` writes one only if
   * it was given to the constructor: `message.name = "agent"` afterwards would be lost.
   */
  readonly properties: readonly string[];
  /** A field's name as `toJSON` writes it. */
  jsonKey(field: string): string;
  /** The field that a key in the JSON form stands for. */
  fieldOf(jsonKey: string): string;
  /** What the class's own constructor makes of fields that nobody else holds. */
  create(fields: Record<string, unknown>): object;
}

const CLASSES: Readonly<Record<string, readonly [type: unknown, ...properties: string[]]>> = {
  AIMessage: [AIMessage, "usage_metadata"],
  AIMessageChunk: [AIMessageChunk, "usage_metadata"],
  ChatMessage: [ChatMessage, "role"],
  ChatMessageChunk: [ChatMessageChunk, "role"],
  FunctionMessage: [FunctionMessage],
  FunctionMessageChunk: [FunctionMessageChunk],
  HumanMessage: [HumanMessage],
  HumanMessageChunk: [HumanMessageChunk],
  RemoveMessage: [RemoveMessage],
  SystemMessage: [SystemMessage],
  SystemMessageChunk: [SystemMessageChunk],
  ToolMessage: [ToolMessage, "tool_call_id", "artifact", "status", "metadata"],
  ToolMessageChunk: [ToolMessageChunk, "tool_call_id", "artifact", "status"],
};

/**
 * `load` finds no alias for this field and calls it `toolCallId`, which the constructor ignores: the
 * chunk would lose its tool call. This is the one place where reviving differs from `load`.
 */
const MISSING_ALIASES: Record<string, Record<string, string>> = {
  ToolMessageChunk: { tool_call_id: "tool_call_id" },
};

const byName = new Map<string, MessageClass>();
const byPrototype = new Map<object, MessageClass>();
for (const [name, [type, ...properties]] of Object.entries(CLASSES)) {
  const described = describe(name, type as MessageConstructor, ["id", "name", ...properties]);
  byName.set(name, described);
  byPrototype.set(described.prototype, described);
}

/** The class whose direct instances have this prototype. Subclasses and other copies of LangChain have none. */
export function messageClassOf(prototype: object | null): MessageClass | undefined {
  return prototype === null ? undefined : byPrototype.get(prototype);
}

/** The class that `load` would find for this `id`, if it is a message class. */
export function messageClassById(id: readonly unknown[]): MessageClass | undefined {
  const name = id[id.length - 1];
  if (id.length < 3 || id[0] !== "langchain_core" || id[1] !== "messages") return undefined;
  if (typeof name !== "string") return undefined;
  // `messages/tool` is a module of its own in LangChain's import map and holds only these two.
  if (id.length > 3 && id[2] === "tool" && !name.startsWith("ToolMessage")) return undefined;
  return byName.get(name);
}

function describe(name: string, type: MessageConstructor, properties: string[]): MessageClass {
  const create = assembler(name, type);
  const aliases = aliasesOf(type, name);
  const fields = new Map<string, string>();
  const jsonKeys = new Map<string, string>();
  for (const [field, key] of Object.entries(aliases)) {
    fields.set(key, field);
    jsonKeys.set(field, key);
  }
  return {
    name,
    prototype: type.prototype,
    properties,
    id: ["langchain_core", "messages", get_lc_unique_name(type as never)],
    jsonKey: (field) => remember(jsonKeys, field, snakeCase),
    fieldOf: (key) => remember(fields, key, camelCase),
    create: name === "AIMessage" ? (given) => createWithoutWarning(create, given) : create,
  };
}

/** What every instance of a message class has. */
export interface LiveMessage {
  readonly lc_serializable: boolean;
  readonly lc_namespace: readonly string[];
  readonly lc_kwargs: Record<string, unknown>;
  readonly toJSON: unknown;
  readonly [field: string]: unknown;
}

/** Whether the instance's `toJSON` would do just what to-wire.ts does. */
export function isOrdinary(message: LiveMessage, { prototype, id }: MessageClass): boolean {
  const { lc_namespace: namespace, lc_kwargs: kwargs } = message;
  return (
    message.lc_serializable === true &&
    message.toJSON === (prototype as LiveMessage).toJSON &&
    Array.isArray(namespace) &&
    namespace.length === 2 &&
    namespace[0] === id[0] &&
    namespace[1] === id[1] &&
    typeof kwargs === "object" &&
    kwargs !== null &&
    isPlain(kwargs)
  );
}

/** As `load` collects them: from the class upwards, the base's winning. */
function aliasesOf(type: MessageConstructor, name: string): Record<string, string> {
  const aliases: Record<string, string> = {};
  for (
    let current: MessageConstructor | null = type;
    current?.prototype;
    current = Object.getPrototypeOf(current)
  ) {
    Object.assign(aliases, Reflect.get(current.prototype, "lc_aliases"));
  }
  return Object.assign(aliases, MISSING_ALIASES[name]);
}

// Keys are data: without a bound, hostile ones would fill the memory for good.
const MOST_KEYS = 1000;

function remember(known: Map<string, string>, key: string, map: (key: string) => string): string {
  let mapped = known.get(key);
  if (mapped === undefined) {
    mapped = map(key);
    if (known.size < MOST_KEYS) known.set(key, mapped);
  }
  return mapped;
}

// The two mappings of @langchain/core/load/map_keys, which it does not export.
const SEPARATORS = /[-_\s]+/g;

function snakeCase(key: string): string {
  return key
    .replace(/([A-Z]+)([A-Z][a-z0-9]+)/g, "$1_$2")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(SEPARATORS, "_")
    .toLowerCase();
}

function camelCase(key: string): string {
  const trimmed = key.trim();
  if (!/[-_\s]/.test(trimmed)) return trimmed;
  return trimmed
    .replace(SEPARATORS, "_")
    .toLowerCase()
    .replace(/_+([a-z0-9])/g, (_, char: string) => char.toUpperCase());
}

/**
 * The constructor warns on the console about tool calls in `additional_kwargs` that `tool_calls`
 * does not repeat. Once is for the provider's author; on every read it would flood the log. So the
 * constructor does not get to see them, and what it would have made of them is made here.
 */
function createWithoutWarning(
  create: (fields: Record<string, unknown>) => object,
  fields: Record<string, unknown>,
): object {
  const additional = fields.additional_kwargs as { tool_calls?: unknown } | null | undefined;
  if (additional?.tool_calls == null) return create(fields);
  if (fields.tool_calls === undefined) {
    const [valid, invalid] = parseToolCalls(additional.tool_calls);
    fields.tool_calls = valid;
    fields.invalid_tool_calls = invalid;
  }
  fields.additional_kwargs = {};
  const message = create(fields) as Record<string, unknown>;
  fields.additional_kwargs = additional;
  setEntry(message, "additional_kwargs", additional);
  return message;
}

function parseToolCalls(raw: unknown): [unknown[], unknown[]] {
  try {
    return defaultToolCallParser(raw as never);
  } catch {
    return [[], []];
  }
}
