import { TYPED_ARRAYS } from "./instances.ts";
import { ownRecordName } from "./records.ts";
import { setEntry, type Wire, type WireObject } from "./wire.ts";

/** Builds a value from a constructor record whose arguments fit. */
export type Reviver = (args: Wire[], build: (part: Wire) => unknown, record: WireObject) => unknown;

interface RecordKind {
  readonly method?: string;
  /** Records whose arguments do not fit stay inert, whoever wrote them. */
  readonly fits: (args: Wire[]) => boolean;
  readonly revive: Reviver;
}

const isList = (args: Wire[]): boolean => args.length === 1 && Array.isArray(args[0]);
const isText = (args: Wire[]): boolean => args.length === 1 && typeof args[0] === "string";
const isPairs = (args: Wire[]): boolean =>
  isList(args) && (args[0] as Wire[]).every((pair) => Array.isArray(pair) && pair.length === 2);
const isByte = (item: Wire): boolean =>
  typeof item === "number" && Number.isInteger(item) && item >= 0 && item <= 255;

/** The closed set that JsonPlusSerializer writes. */
const SHARED_KINDS: Readonly<Record<string, RecordKind>> = {
  Set: {
    fits: isList,
    revive: ([items], build) => new Set((items as Wire[]).map(build)),
  },
  Map: {
    fits: isPairs,
    revive: ([pairs], build) =>
      new Map((pairs as [Wire, Wire][]).map(([key, value]) => [build(key), build(value)])),
  },
  RegExp: {
    fits: (args) => args.length === 2 && isRegExp(args[0], args[1]),
    revive: ([source, flags]) => new RegExp(source as string, flags as string),
  },
  Error: { fits: isText, revive: reviveError },
  Uint8Array: {
    method: "from",
    fits: (args) => isList(args) && (args[0] as Wire[]).every(isByte),
    revive: ([bytes]) => new Uint8Array(bytes as number[]),
  },
};

const SPECIAL_NUMBERS: ReadonlyMap<Wire | undefined, number> = new Map<Wire | undefined, number>([
  ["-0", -0],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

const base64 = (text: Wire | undefined): ArrayBuffer =>
  // A copy: Buffer.from takes small ones from a pool that others share.
  new Uint8Array(Buffer.from(text as string, "base64")).buffer;

/** What only this package writes. */
const OWN_KINDS: ReadonlyMap<string, RecordKind> = new Map<string, RecordKind>([
  [
    "Number",
    {
      fits: ([name]) => SPECIAL_NUMBERS.has(name),
      revive: ([name]) => SPECIAL_NUMBERS.get(name),
    },
  ],
  [
    "BigInt",
    {
      fits: ([digits]) => typeof digits === "string" && /^-?\d+$/.test(digits),
      revive: ([digits]) => BigInt(digits as string),
    },
  ],
  [
    "Date",
    {
      fits: ([time]) => typeof time === "number" || time === null,
      revive: ([time]) => new Date((time as number | null) ?? Number.NaN),
    },
  ],
  [
    "Object",
    {
      fits: isPairs,
      revive: ([pairs], build) => {
        const object = {};
        for (const [key, value] of pairs as [string, Wire][]) setEntry(object, key, build(value));
        return object;
      },
    },
  ],
  ["Buffer", { fits: isText, revive: ([text]) => Buffer.from(base64(text)) }],
  ["ArrayBuffer", { fits: isText, revive: ([text]) => base64(text) }],
  ...[...TYPED_ARRAYS].map(([name, TypedArray]): [string, RecordKind] => [
    name,
    { fits: isText, revive: ([text]) => new TypedArray(base64(text)) },
  ]),
]);

/** What builds the record's value, or undefined if the record is to stay inert. */
export function reviverOf(record: WireObject): Reviver | undefined {
  const { args } = record;
  if (!Array.isArray(args)) return undefined;
  const ownName = ownRecordName(record);
  const kind = ownName === undefined ? sharedKind(record) : OWN_KINDS.get(ownName);
  return kind?.fits(args) ? kind.revive : undefined;
}

function sharedKind({ id, method }: WireObject): RecordKind | undefined {
  const name = Array.isArray(id) && id.length === 1 ? id[0] : undefined;
  if (typeof name !== "string" || !Object.hasOwn(SHARED_KINDS, name)) return undefined;
  const kind = SHARED_KINDS[name];
  return method === undefined || method === null || method === kind?.method ? kind : undefined;
}

function isRegExp(source: Wire | undefined, flags: Wire | undefined): boolean {
  if (typeof source !== "string" || typeof flags !== "string") return false;
  try {
    new RegExp(source, flags);
    return true;
  } catch {
    return false;
  }
}

const NATIVE_ERRORS: ReadonlyMap<unknown, ErrorConstructor> = new Map(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [
    type.name,
    type as ErrorConstructor,
  ]),
);

function reviveError([message]: Wire[], build: (part: Wire) => unknown, record: WireObject): Error {
  const kwargs = record.kwargs;
  const { name, cause } =
    typeof kwargs === "object" && kwargs !== null && !Array.isArray(kwargs) ? kwargs : {};
  const type = NATIVE_ERRORS.get(name) ?? Error;
  const error =
    cause === undefined
      ? new type(message as string)
      : new type(message as string, { cause: build(cause) });
  if (typeof name === "string" && error.name !== name) {
    Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  }
  return error;
}
