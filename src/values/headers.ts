import { CorruptCheckpointError } from "../errors.ts";
import { parseWire } from "./serialize.ts";

/** What a list of chunks belongs to: an array, an object, or a long text. */
export type ContainerKind = ObjectKind | '"';
export type ObjectKind = "[" | "{";

/** In front of a DeltaSnapshot's value: the snapshot shares its chunks with the bare value. */
const DELTA_SNAPSHOT = '{"lc":2,"type":"delta_snapshot","value":';

/** The header of a value's row. */
export interface RootHeader {
  readonly kind: ContainerKind;
  readonly isDeltaSnapshot: boolean;
}

export function rootHeader({ kind, isDeltaSnapshot }: RootHeader): string {
  return isDeltaSnapshot ? DELTA_SNAPSHOT + kind : kind;
}

export function parseRootHeader(header: string): RootHeader {
  const isDeltaSnapshot = header.startsWith(DELTA_SNAPSHOT);
  return {
    kind: parseKind(isDeltaSnapshot ? header.slice(DELTA_SNAPSHOT.length) : header),
    isDeltaSnapshot,
  };
}

/** The JSON text of a DeltaSnapshot around its value's. */
export function inDeltaSnapshot(text: string): string {
  return `${DELTA_SNAPSHOT}${text}}`;
}

/** The header of a container chunk: as an entry of an object it carries its key. */
export function containerHeader(kind: ContainerKind, key: string | null): string {
  return key === null ? kind : `${JSON.stringify(key)}:${kind}`;
}

export interface ContainerHeader {
  readonly kind: ContainerKind;
  readonly key: string | null;
}

export function parseContainerHeader(header: string): ContainerHeader {
  const kind = parseKind(header.slice(-1));
  if (header.length === 1) return { kind, key: null };
  const key = header.at(-2) === ":" ? parseWire(header.slice(0, -2)) : null;
  if (typeof key !== "string")
    throw new CorruptCheckpointError("a container's header is malformed");
  return { kind, key };
}

function parseKind(text: string): ContainerKind {
  if (text === "[" || text === "{" || text === '"') return text;
  throw new CorruptCheckpointError("a container's header is malformed");
}
