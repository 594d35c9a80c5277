/**
 * Messages put together field by field, just as the constructors of their classes do it.
 *
 * The constructors of LangChain end in an initialiser that hundreds of classes share, and an engine that
 * has seen many of them cannot specialise it: where graphs run, a constructor takes many times as long as this.
 * All messages of a chat are revived on every turn.
 */
import { isDeepStrictEqual } from "node:util";

type Fields = Record<PropertyKey, unknown>;
export type MessageConstructor = { new (fields: never): Fields; readonly prototype: object };

/** How the messages of one class are put together. */
interface Assembly {
  /** A new function, to be called with `new` once it has its prototype. */
  readonly constructorOf: () => (this: Fields, fields: Fields) => void;
  /** Whether the constructor would do nothing with the fields but set them. */
  readonly isPlain: (fields: Fields) => boolean;
  /** What the constructor takes beyond the common fields: all that may be missing, too, and what may not. */
  readonly optional: Fields;
  readonly required: Fields;
}

const ASSEMBLIES: Readonly<Record<string, Assembly>> = {
  HumanMessage: { constructorOf: human, isPlain: isCommonPlain, optional: {}, required: {} },
  SystemMessage: { constructorOf: system, isPlain: isCommonPlain, optional: {}, required: {} },
  AIMessage: {
    constructorOf: ai,
    isPlain: isAIPlain,
    optional: { usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } },
    required: {
      tool_calls: [{ type: "tool_call", id: "t", name: "n", args: {} }],
      invalid_tool_calls: [],
    },
  },
  ToolMessage: {
    constructorOf: tool,
    isPlain: isCommonPlain,
    optional: { status: "success", metadata: { m: 1 }, artifact: { a: 1 } },
    required: { tool_call_id: "t" },
  },
};

/**
 * Puts messages of a class together from fields that nobody else holds. Where the constructor of the
 * LangChain that is installed would do more than that, it runs.
 */
export function assembler(name: string, type: MessageConstructor): (fields: Fields) => object {
  const construct = (fields: Fields): object => new type(fields as never);
  const assembly = ASSEMBLIES[name];
  if (assembly === undefined) return construct;
  const { isPlain, constructorOf } = assembly;
  const Assembled = constructorOf() as unknown as MessageConstructor & { prototype: object };
  Assembled.prototype = type.prototype;
  if (!isFaithful(type, Assembled, assembly)) return construct;
  return (fields) => (isPlain(fields) ? new Assembled(fields as never) : construct(fields));
}

/**
 * Whether both ways lead to the same message, in all that it holds and in what the getters of its class make of
 * it: a LangChain that is newer may set more, or otherwise.
 */
function isFaithful(
  type: MessageConstructor,
  Assembled: MessageConstructor,
  { optional, required }: Assembly,
): boolean {
  const least = { content: "c", additional_kwargs: {}, response_metadata: {}, ...required };
  const most = {
    content: [{ type: "text", text: "c" }],
    id: "i",
    name: "n",
    additional_kwargs: { a: 1 },
    response_metadata: { r: 1 },
    ...required,
    ...optional,
  };
  if (hasPrivateFields(type)) return false;
  return [least, most].every((fields) => {
    const given: Fields = structuredClone(fields);
    const taken: Fields = structuredClone(fields);
    try {
      const made = new type(given as never);
      const assembled = new Assembled(taken as never);
      return (
        isDeepStrictEqual(made, assembled) &&
        Reflect.ownKeys(made).every(
          (key) => (made[key] === given[key]) === (assembled[key] === taken[key]),
        ) &&
        gettersOf(made).every((key) => isDeepStrictEqual(made[key], assembled[key]))
      );
    } catch {
      return false;
    }
  });
}

/** They can be seen in the text of the class only, and only its constructor can make them. */
function hasPrivateFields(type: MessageConstructor): boolean {
  for (let one = type; one !== Function.prototype; one = Object.getPrototypeOf(one)) {
    if (/\.#\w/.test(Function.prototype.toString.call(one))) return true;
  }
  return false;
}

function gettersOf(message: object): PropertyKey[] {
  const found: PropertyKey[] = [];
  for (
    let object: object = Object.getPrototypeOf(message);
    object !== Object.prototype;
    object = Object.getPrototypeOf(object)
  ) {
    const properties = Object.getOwnPropertyDescriptors(object) as PropertyDescriptorMap;
    for (const key of Reflect.ownKeys(properties)) {
      if (properties[key]?.get !== undefined) found.push(key);
    }
  }
  return found;
}

const IS_MESSAGE = Symbol.for("langchain.message");

function assignCommon(message: Fields, fields: Fields): void {
  message.lc_serializable = true;
  message.lc_kwargs = fields;
  message.lc_namespace = ["langchain_core", "messages"];
  message[IS_MESSAGE] = true;
  message.id = fields.id;
  message.name = fields.name;
  message.content = fields.content;
  message.additional_kwargs = fields.additional_kwargs;
  message.response_metadata = fields.response_metadata;
}

function human() {
  return function (this: Fields, fields: Fields): void {
    assignCommon(this, fields);
    this.type = "human";
  };
}

function system() {
  return function (this: Fields, fields: Fields): void {
    assignCommon(this, fields);
    this.type = "system";
  };
}

function ai() {
  return function (this: Fields, fields: Fields): void {
    assignCommon(this, fields);
    this.type = "ai";
    this.tool_calls = fields.tool_calls;
    this.invalid_tool_calls = fields.invalid_tool_calls;
    this.usage_metadata = fields.usage_metadata;
  };
}

function tool() {
  return function (this: Fields, fields: Fields): void {
    assignCommon(this, fields);
    this.lc_direct_tool_output = true;
    this.type = "tool";
    this.status = fields.status;
    this.tool_call_id = fields.tool_call_id;
    this.metadata = fields.metadata;
    this.artifact = fields.artifact;
  };
}

function isCommonPlain(fields: Fields): boolean {
  return (
    fields.content !== undefined &&
    fields.content !== null &&
    isObject(fields.additional_kwargs) &&
    isObject(fields.response_metadata)
  );
}

/** Tool calls that are missing are derived from `additional_kwargs`, content and tool calls from blocks. */
function isAIPlain(fields: Fields): boolean {
  return (
    isCommonPlain(fields) &&
    isObject(fields.tool_calls) &&
    isObject(fields.invalid_tool_calls) &&
    (fields.response_metadata as Fields).output_version === undefined &&
    fields.contentBlocks === undefined
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
