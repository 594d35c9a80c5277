import { SerializationError } from "../errors.ts";
import { MAX_DEPTH } from "./parameters.ts";

/** Thrown inside this folder while a value is written; callers turn it into a SerializationError. */
export class Unserialisable extends Error {
  readonly path: (string | number)[] = [];
}

/** Notes on the way up that the error happened under this key. What user code threw is wrapped. */
export function locate(error: unknown, key: string | number): Unserialisable {
  const located =
    error instanceof Unserialisable
      ? error
      : new Unserialisable(reasonFor(error), { cause: error });
  located.path.push(key);
  return located;
}

/** The longest text that JavaScript can hold. */
const MAX_TEXT = 2 ** 29 - 24;

function reasonFor(error: unknown): string {
  // The engine has no codes for what it runs out of.
  const words = error instanceof RangeError ? error.message : "";
  if (words.includes("string length")) {
    return `more than ${MAX_TEXT} characters of JSON text in one piece`;
  }
  // Code that is not compiled yet may need more stack than there is.
  if (words.includes("call stack")) {
    return `more levels of nesting than the stack has room for (${MAX_DEPTH} at most)`;
  }
  return "something whose toJSON or getter threw";
}

/** The public error, naming the place (`channel "messages"`) and the path inside it. */
export function serializationError(error: unknown, place: string): SerializationError {
  const { message, path, cause } =
    error instanceof Unserialisable ? error : { message: reasonFor(error), path: [], cause: error };
  const at = path.length === 0 ? "" : ` at ${showPath(path)}`;
  return new SerializationError(
    `${place}${at}: ${message} cannot be serialised. Keep it out of the state, or store data that it can be rebuilt from.`,
    cause === undefined ? {} : { cause },
  );
}

const SHOWN_STEPS = 20;

function showPath(pathUpwards: readonly (string | number)[]): string {
  const path = [...pathUpwards].reverse();
  const shown = path.slice(0, SHOWN_STEPS).map((key) => {
    if (typeof key === "number") return `[${key}]`;
    return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 100))}]`;
  });
  return path.length > SHOWN_STEPS ? `${shown.join("")}…` : shown.join("");
}
