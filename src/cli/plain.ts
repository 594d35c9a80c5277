/** Any value of a state as plain data that a person can read. */

/** Messages by what they say, other objects by their fields, bytes by their number. */
export function plain(value: unknown): unknown {
  if (value === undefined) return "(undefined)";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Set) return { Set: [...value].map(plain) };
  if (value instanceof Map) return { Map: [...value].map(plain) };
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return { [value.name]: value.message };
  if (isMessage(value)) return message(value);
  const fields = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return name === "Object" || typeof name !== "string" ? fields : { [name]: fields };
}

interface Message {
  readonly getType: () => string;
  readonly content: unknown;
}

function isMessage(value: object): value is Message {
  return "getType" in value && typeof value.getType === "function" && "content" in value;
}

const SHOWN = ["id", "name", "tool_calls", "tool_call_id", "status", "artifact"] as const;

function message(value: Message): unknown {
  const fields = value as unknown as Record<string, unknown>;
  const more = SHOWN.flatMap((name) => {
    const field = fields[name];
    const empty = field === undefined || (Array.isArray(field) && field.length === 0);
    return empty ? [] : [[name, plain(field)] as const];
  });
  return { [value.getType()]: plain(value.content), ...Object.fromEntries(more) };
}
