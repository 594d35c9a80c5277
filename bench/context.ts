/** What one workload gets of the harness while it runs with one saver, and its cleaning up. */
import type { ChatDatabases } from "./chat-databases.ts";
import type { Databases } from "./databases.ts";
import type { OpenSaver, Peer, PoolWrapper } from "./peers/peer.ts";
import { readInFreshProcess } from "./read.ts";
import type { RunContext } from "./workloads/workload.ts";

export interface Harness {
  readonly databases: Databases;
  readonly chats: ChatDatabases;
}

export interface OwnedContext extends RunContext {
  /** Closes and drops what the last run opened, but not what `once` keeps. */
  endRun(): Promise<void>;
  /** Closes and drops everything. */
  end(): Promise<void>;
}

type Closer = () => Promise<void>;

/** Where a saver opens that keeps everything in the process. */
const NOWHERE = "";

export function createContext(
  { databases, chats }: Harness,
  peer: Peer,
  wrap?: PoolWrapper,
  together: RunContext["together"] = (works) => Promise.all(works.map((work) => work())),
): OwnedContext {
  const ofRun: Closer[] = [];
  const kept: Closer[] = [];
  let closers = ofRun;
  let made: Promise<unknown> | undefined;

  const openOn = async (url: string): Promise<OpenSaver> => {
    const owner = closers;
    const open = await peer.open(url, wrap);
    owner.push(async () => {
      await open.close();
      if (peer.durable) await databases.drop(url);
    });
    return open;
  };

  return {
    open: async () => openOn(peer.durable ? await databases.create() : NOWHERE),
    openCopy: async (url) => openOn(await databases.create(url)),
    chatDatabase: (turns) => chats.get(peer, turns),
    read: (url, request) => readInFreshProcess({ ...request, url, peer: peer.name }),
    async once<T>(make: () => Promise<T>): Promise<T> {
      closers = kept;
      try {
        made ??= make();
        return (await made) as T;
      } finally {
        closers = ofRun;
      }
    },
    together,
    settle: () => databases.settle(),
    endRun: () => closeAll(ofRun),
    async end() {
      await closeAll(ofRun);
      await closeAll(kept);
    },
  };
}

async function closeAll(closers: Closer[]): Promise<void> {
  for (const close of closers.splice(0)) await close();
}
