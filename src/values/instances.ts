import { types } from "node:util";
import { constructorRecord, ownRecord } from "./records.ts";
import { isSend, type SendLike, sendFields } from "./send.ts";
import { locate, Unserialisable } from "./unserialisable.ts";
import { isPlain, type Wire, type WireObject } from "./wire.ts";

/** Writes a part of an object, standing where the object stands. */
export type WritePart = (value: unknown, serialised?: "serialised") => Wire;

/** The typed arrays that JSON would turn into objects with numbers for keys. */
export const TYPED_ARRAYS: ReadonlyMap<string, new (buffer: ArrayBuffer) => ArrayBufferView> =
  new Map<string, new (buffer: ArrayBuffer) => ArrayBufferView>([
    ["Int8Array", Int8Array],
    ["Uint8ClampedArray", Uint8ClampedArray],
    ["Int16Array", Int16Array],
    ["Uint16Array", Uint16Array],
    ["Int32Array", Int32Array],
    ["Uint32Array", Uint32Array],
    ["Float32Array", Float32Array],
    ["Float64Array", Float64Array],
    ["BigInt64Array", BigInt64Array],
    ["BigUint64Array", BigUint64Array],
    ["DataView", DataView],
  ]);

interface Writer {
  readonly fits: (value: object) => boolean;
  readonly write: (value: never, part: WritePart) => Wire;
}

/** The first that fits writes the value. */
const WRITERS: readonly Writer[] = [
  {
    fits: (value) => value instanceof Map,
    write: (value: Map<unknown, unknown>, part) =>
      constructorRecord("Map", [part([...value])], null),
  },
  {
    fits: (value) => value instanceof Set,
    write: (value: Set<unknown>, part) => constructorRecord("Set", [part([...value])], null),
  },
  {
    fits: types.isRegExp,
    write: (value: RegExp) => constructorRecord("RegExp", [value.source, value.flags], null),
  },
  { fits: (value) => value instanceof Error, write: errorToWire },
  {
    // An invalid date has no time; JSON's null stands for that.
    fits: types.isDate,
    write: (value: Date) => ownRecord("Date", Number.isNaN(+value) ? null : +value),
  },
  {
    fits: Buffer.isBuffer,
    write: (value: Buffer) => ownRecord("Buffer", value.toString("base64")),
  },
  {
    fits: types.isUint8Array,
    write: (value: Uint8Array) => constructorRecord("Uint8Array", [Array.from(value)], "from"),
  },
  { fits: ArrayBuffer.isView, write: viewToWire },
  {
    fits: types.isArrayBuffer,
    write: (value: ArrayBuffer) => ownRecord("ArrayBuffer", Buffer.from(value).toString("base64")),
  },
  {
    fits: types.isBoxedPrimitive,
    write: (value: object, part) => part(value.valueOf()),
  },
  {
    fits: (value) => typeof (value as { toJSON?: unknown }).toJSON === "function",
    write: toJsonToWire,
  },
  {
    fits: (value) => (value as { lg_name?: unknown }).lg_name === "DeltaSnapshot",
    write: (value: { value: unknown }, part) => ({
      lc: 2,
      type: "delta_snapshot",
      value: part(value.value),
    }),
  },
  { fits: isSend, write: (value: SendLike, part) => part(sendFields(value)) },
  {
    // These hold what no property shows: written as `{}` it would be lost without a word.
    fits: (value) =>
      types.isPromise(value) ||
      types.isWeakMap(value) ||
      types.isWeakSet(value) ||
      types.isGeneratorObject(value) ||
      types.isMapIterator(value) ||
      types.isSetIterator(value) ||
      types.isSharedArrayBuffer(value) ||
      value instanceof WeakRef,
    write: (value: object) => {
      throw new Unserialisable(`a ${kindName(value)}`);
    },
  },
  // Any other instance is its own entries, as for JSON.
  { fits: () => true, write: (value: object, part) => part({ ...value }) },
];

/** Writes an object that is neither an array, nor plain, nor one of LangChain's messages. */
export function instanceToWire(value: object, part: WritePart): Wire {
  for (const { fits, write } of WRITERS) {
    if (fits(value)) return write(value as never, part);
  }
  throw new Unserialisable("an object of unknown kind");
}

/**
 * JsonPlusSerializer keeps the message only and ignores `kwargs`, so the name and the cause can
 * travel there.
 */
function errorToWire(error: Error, part: WritePart): Wire {
  const kwargs: WireObject = {};
  if (error.name !== "Error") kwargs.name = String(error.name);
  if (error.cause !== undefined) {
    try {
      kwargs.cause = part(error.cause);
    } catch (problem) {
      throw locate(problem, "cause");
    }
  }
  return { ...constructorRecord("Error", [String(error.message)], null), kwargs };
}

function viewToWire(view: ArrayBufferView): Wire {
  const name = kindName(view);
  // A kind that is newer than this package would be written and never read again.
  if (!TYPED_ARRAYS.has(name)) throw new Unserialisable(`a ${name}`);
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return ownRecord(name, bytes.toString("base64"));
}

function kindName(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

interface HasToJson {
  toJSON(key: string): unknown;
}

interface SerializedForm {
  readonly type?: unknown;
  readonly id?: unknown;
}

function toJsonToWire(value: HasToJson, part: WritePart): Wire {
  const json = value.toJSON("");
  if (typeof json !== "object" || json === null) return part(json);
  if ("lc_serializable" in value) {
    const { type, id } = json as SerializedForm;
    if (type === "not_implemented") {
      const name = Array.isArray(id) ? String(id[id.length - 1]) : "object";
      throw new Unserialisable(`a ${name}, which LangChain does not serialise,`);
    }
    return part({ ...json }, "serialised");
  }
  if (json !== value && !isPlain(json)) return part(json);
  // A copy, because the result's own toJSON does not count.
  const { toJSON, ...entries } = json as HasToJson;
  return part(typeof toJSON === "function" ? entries : { ...json });
}
