/** Databases that hold one long chat, made once with each saver and shared by the workloads that read it. */
import type { Databases } from "./databases.ts";
import { CHAT_BYTES, chat } from "./graphs/chat.ts";
import type { Peer } from "./peers/peer.ts";
import { THREAD } from "./workloads/turns.ts";

export interface ChatDatabases {
  get(peer: Peer, turns: number): Promise<string>;
}

export function chatDatabases(
  databases: Databases,
  progress: (line: string) => void,
): ChatDatabases {
  const made = new Map<string, Promise<string>>();
  return {
    get(peer, turns) {
      const key = `${peer.name} ${turns}`;
      const found = made.get(key) ?? build(peer, turns);
      made.set(key, found);
      return found;
    },
  };

  async function build(peer: Peer, turns: number): Promise<string> {
    progress(`storing a chat of ${turns} turns with ${peer.label}`);
    const url = await databases.create();
    const open = await peer.open(url);
    const { turn } = chat(open.saver, { turns, ...CHAT_BYTES });
    for (let n = 0; n < turns; n += 1) await turn(THREAD, n);
    await open.close();
    return url;
  }
}
