/** Every saver that opens by itself, in the order of the table; `driver` is replayed from a recording of ours. */
import { memory } from "./memory.ts";
import { official } from "./official.ts";
import { ours } from "./ours.ts";
import type { Peer, PeerName } from "./peer.ts";
import { references } from "./references.ts";

export const peers: readonly Peer[] = [ours, official, memory, references];

/** Those that are no savers. */
const DRIVERS: Partial<Record<PeerName, string>> = {
  driver: "floor: the same SQL, bare pg.Pool",
  "driver-each": "floor: a statement for each call, bare pg.Pool",
};

export function labelOf(name: PeerName): string {
  return peers.find((peer) => peer.name === name)?.label ?? DRIVERS[name] ?? name;
}
