/** Random calls of a saver, done on `MemorySaver` as well: after each of them both hold the same. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  MemorySaver,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { checkpointOf, tuples } from "../contract/material.ts";
import { anyCall, type Call, type Calls, THREADS } from "./saver-calls.ts";

/** What was put and is still there. */
interface Put {
  readonly config: RunnableConfig;
  readonly at: RunnableConfig;
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  readonly newVersions: ChannelVersions;
  readonly thread: number;
  readonly namespace: string;
}

/** `numRuns` sequences of calls on a saver of which `fresh` gives another that remembers nothing. */
export async function saverAsMemory(
  fresh: () => BaseCheckpointSaver,
  { seed, numRuns }: { seed: number; numRuns: number },
): Promise<number> {
  let done = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyCall, { minLength: 4, maxLength: 25 }), async (calls) => {
      done += calls.length;
      await perform(fresh, calls);
    }),
    { seed, numRuns },
  );
  return done;
}

async function perform(fresh: () => BaseCheckpointSaver, calls: readonly Call[]): Promise<void> {
  const saver = fresh();
  const memory = new MemorySaver();
  const threads: string[] = Array.from({ length: THREADS }, () => randomUUID());
  let puts: Put[] = [];
  const both = async <T>(
    what: string,
    work: (one: BaseCheckpointSaver) => Promise<T>,
  ): Promise<void> => {
    const expected = await work(memory);
    for (const one of [saver, fresh()]) same(await work(one), expected, what);
  };
  const configOf = (thread: number, namespace?: string): RunnableConfig => ({
    configurable: {
      thread_id: threads[thread],
      ...(namespace === undefined ? {} : { checkpoint_ns: namespace }),
    },
  });
  const store = async (one: Put): Promise<void> => {
    for (const each of [memory, saver]) {
      await each.put(one.config, one.checkpoint, one.metadata, one.newVersions);
    }
  };

  const doing: { [K in keyof Calls]: (call: Calls[K]) => Promise<void> } = {
    async put({ thread, namespace, parent, values }) {
      // Any checkpoint of the namespace, so that there are forks, or none.
      const candidates = puts.filter((p) => p.thread === thread && p.namespace === namespace);
      const from = candidates[parent % (candidates.length + 1)];
      const changed = Object.fromEntries(values);
      const newVersions = Object.fromEntries(
        Object.keys(changed).map((channel) => {
          const version = Object.entries(from?.checkpoint.channel_versions ?? {}).find(
            ([c]) => c === channel,
          )?.[1];
          return [channel, saver.getNextVersion(version as never)];
        }),
      );
      const checkpoint = checkpointOf(
        { ...from?.checkpoint.channel_values, ...changed },
        { ...from?.checkpoint.channel_versions, ...newVersions },
      );
      const config = from?.at ?? configOf(thread, namespace);
      const metadata = {
        source: parent % 2 ? "fork" : "loop",
        step: parent % 4,
        parents: {},
      } as const;
      const at = {
        configurable: { ...configOf(thread, namespace).configurable, checkpoint_id: checkpoint.id },
      };
      const one = { config, at, checkpoint, metadata, newVersions, thread, namespace };
      await store(one);
      puts.push(one);
    },
    async again({ nth }) {
      const one = puts[nth % puts.length];
      if (one) await store(one);
    },
    async putWrites({ nth, task, path, writes }) {
      const one = puts[nth % puts.length];
      if (!one) return;
      for (const each of [memory, saver]) {
        await each.putWrites(one.at, writes as PendingWrite[], task, path);
      }
      await both("the writes", async (each) => (await each.getTuple(one.at))?.pendingWrites);
    },
    get: ({ thread, namespace }) =>
      both("the latest", (one) => one.getTuple(configOf(thread, namespace)).then(plain)),
    async getById({ nth }) {
      const one = puts[nth % puts.length];
      if (one) await both("by id", (each) => each.getTuple(one.at).then(plain));
    },
    list({ thread, namespace, limit, step, before }) {
      const candidates = puts.filter((p) => p.thread === thread && p.namespace === namespace);
      const first = before === undefined ? undefined : candidates[before % candidates.length];
      const options: CheckpointListOptions = {
        ...(limit === undefined ? {} : { limit }),
        ...(step === undefined ? {} : { filter: { step } }),
        ...(first === undefined ? {} : { before: first.at }),
      };
      return both("a list", async (one) =>
        (await tuples(one, configOf(thread, namespace), options)).map(plain),
      );
    },
    listThread: ({ thread, source }) =>
      both("a thread's list", async (one) => {
        const options = source === undefined ? {} : { filter: { source } };
        return byNamespace(await tuples(one, configOf(thread), options));
      }),
    listAll: () =>
      both("the list of all", async (one) => {
        const found = await tuples(one, { configurable: {} });
        return byNamespace(
          found.filter(({ config }) => threads.includes(config.configurable?.thread_id)),
        );
      }),
    async deleteThread({ thread }) {
      for (const each of [memory, saver]) await each.deleteThread(threads[thread] as string);
      puts = puts.filter((p) => p.thread !== thread);
    },
  };

  for (const { call: name, ...fields } of calls) await doing[name](fields as never);
  for (const thread of threads.keys()) await doing.listThread({ thread, source: undefined });
  for (const thread of threads) await saver.deleteThread(thread);
}

/** Newest first in each namespace; which namespace comes first is nobody's promise. */
function byNamespace(found: readonly CheckpointTuple[]): unknown {
  const groups = new Map<string, CheckpointTuple[]>();
  for (const tuple of found) {
    const { thread_id, checkpoint_ns } = tuple.config.configurable ?? {};
    const key = JSON.stringify([thread_id, checkpoint_ns]);
    groups.set(key, [...(groups.get(key) ?? []), tuple]);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, ones]) => [key, ones.map(plain)]);
}

/** All of a tuple that has a meaning. */
function plain(tuple: CheckpointTuple | undefined): unknown {
  if (tuple === undefined) return undefined;
  const { config, checkpoint, metadata, parentConfig, pendingWrites = [] } = tuple;
  return {
    at: [config, parentConfig].map((one) => one?.configurable),
    checkpoint: { ...checkpoint, channel_values: { ...checkpoint.channel_values } },
    metadata,
    pendingWrites,
  };
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  assert.deepStrictEqual(actual, expected, undefined);
  throw new assert.AssertionError({ message: `${what} differs, though it looks the same` });
}
