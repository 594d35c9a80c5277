import { CorruptCheckpointError } from "../errors.ts";
import { revive, withLoads } from "./revive.ts";
import { toWire } from "./to-wire.ts";
import { serializationError } from "./unserialisable.ts";
import type { Wire } from "./wire.ts";

/**
 * A value as JSON text in JsonPlusSerializer's format.
 *
 * @param place names the value in the error, such as `channel "messages"`.
 * @throws SerializationError naming place and path of what cannot be written.
 */
export function serialize(value: unknown, place: string): string {
  try {
    return JSON.stringify(toWire(value));
  } catch (error) {
    throw serializationError(error, place);
  }
}

/**
 * The value that {@link serialize} or JsonPlusSerializer wrote. A Promise only where
 * `@langchain/core/load` is needed, for objects of LangChain's that are not messages.
 *
 * @throws CorruptCheckpointError if the text is not JSON.
 */
export function deserialize(text: string): unknown | Promise<unknown> {
  const wire = parseWire(text);
  return withLoads((loads) => revive(wire, loads));
}

/** JSON text parsed, with a typed error that quotes none of it. */
export function parseWire(text: string): Wire {
  try {
    return JSON.parse(text) as Wire;
  } catch (error) {
    // The parser's own message quotes the text, which may be private: it stays in the cause.
    throw new CorruptCheckpointError(
      `stored JSON text of ${text.length} characters cannot be parsed`,
      { cause: error },
    );
  }
}
