/** LangGraph's `MemorySaver`: serialises everything, keeps it in the process, reaches no disk. */
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { Peer } from "./peer.ts";

export const memory: Peer = {
  name: "memory",
  label: "MemorySaver",
  durable: false,
  async open() {
    const saver = new MemorySaver();
    return { saver, bytes: async () => heldBytes(saver), close: async () => {} };
  },
};

function heldBytes({ storage, writes }: MemorySaver): number {
  let bytes = 0;
  for (const namespaces of Object.values(storage)) {
    for (const checkpoints of Object.values(namespaces)) {
      for (const [checkpoint, metadata] of Object.values(checkpoints)) {
        bytes += checkpoint.byteLength + metadata.byteLength;
      }
    }
  }
  for (const tasks of Object.values(writes)) {
    for (const [, , value] of Object.values(tasks)) bytes += value.byteLength;
  }
  return bytes;
}
