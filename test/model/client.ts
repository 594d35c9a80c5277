/** Who calls, and how a call is noted for the oracle. */
import type { RunnableConfig } from "@langchain/core/runnables";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import { PostgresSaver, ThreadConflictError } from "../../src/index.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Random } from "../torture/random.ts";
import type { Event } from "./oracle.ts";

/** What all clients of a history share: what was put, by id, and what happened to each thread. */
export interface Notes {
  readonly values: Map<string, { [channel: string]: unknown }>;
  readonly events: Map<string, Event[]>;
  /** Every checkpoint that somebody put or is about to, by thread. */
  readonly known: Map<string, { namespace: string; id: string }[]>;
  /** Calls that got a ThreadConflictError. */
  refused: number;
}

export interface Client {
  readonly store: string;
  readonly storage: Storage;
  readonly saver: PostgresSaver;
  /** Where it stands in each thread and namespace: what it read or put last. */
  readonly heads: Map<string, { config: RunnableConfig; checkpoint: Checkpoint }>;
}

export interface Setting {
  readonly record: Notes;
  readonly random: Random;
  readonly turn: () => number;
  /** Runs SQL as the store would, at its turn; `:schema` stands for the schema. */
  readonly sql: (client: Client, text: string, values: unknown[]) => Promise<unknown>;
}

export type Call = (setting: Setting, client: Client, thread: string) => Promise<void>;

export function openClient(store: string, storage: Storage): Client {
  return { store, storage, saver: new PostgresSaver(storage), heads: new Map() };
}

export function emptyNotes(): Notes {
  return { values: new Map(), events: new Map(), known: new Map(), refused: 0 };
}

/** Does it, and notes it for the oracle; a call that was refused has done nothing. */
export async function noting<T>(
  setting: Setting,
  thread: string,
  what: string,
  work: () => Promise<T>,
  effect: (result: T) => Event["apply"] | readonly Event["apply"][],
): Promise<T | undefined> {
  const events = setting.record.events.get(thread) ?? [];
  setting.record.events.set(thread, events);
  const from = setting.turn();
  try {
    const result = await work();
    const effects = [effect(result)].flat();
    for (const [i, apply] of effects.entries()) {
      const after = i === 0 ? {} : { after: events.length - 1 };
      events.push({ what, from, to: setting.turn(), ...after, apply });
    }
    return result;
  } catch (error) {
    if (!(error instanceof ThreadConflictError)) throw error;
    setting.record.refused += 1;
    return undefined;
  }
}

export function namespaceFor(random: Random): string {
  return random.below(4) === 0 ? "sub:1" : "";
}
