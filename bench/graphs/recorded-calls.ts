/** What LangGraph asks of a saver while a graph runs, recorded to be asked again without LangGraph. */
import type { RunnableConfig } from "@langchain/core/runnables";
import { type BaseCheckpointSaver, copyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { Recorded } from "../in-order.ts";

export interface Call extends Recorded {
  ask(saver: BaseCheckpointSaver): Promise<unknown>;
}

/** The saver itself, but that its calls are recorded, by thread. */
export function recordingSaver(
  saver: BaseCheckpointSaver,
  calls: Map<string, Call[]>,
): BaseCheckpointSaver {
  const record = async <T>(
    config: RunnableConfig,
    ask: (saver: BaseCheckpointSaver) => Promise<T>,
  ): Promise<T> => {
    const thread = String(config.configurable?.thread_id);
    const ofThread = calls.get(thread) ?? [];
    calls.set(thread, ofThread);
    const after = ofThread.length;
    const answer = await ask(saver);
    ofThread.push({ after, ask });
    return answer;
  };
  const changes: Partial<BaseCheckpointSaver> = {
    getTuple(config) {
      const own = addressOf(config);
      return record(own, (saver) => saver.getTuple(own));
    },
    put(config, checkpoint, metadata, versions) {
      const own = addressOf(config);
      const copy = copyCheckpoint(checkpoint); // LangGraph goes on with this one
      return record(own, (saver) => saver.put(own, copy, metadata, versions));
    },
    putWrites(config, writes, task, path) {
      const own = addressOf(config);
      return record(own, (saver) => saver.putWrites(own, writes, task, path));
    },
  };
  return new Proxy(saver, {
    get: (target, key) => Reflect.get(key in changes ? changes : target, key),
  });
}

/** What a saver reads of a config; the rest belongs to the run. */
function addressOf({ configurable }: RunnableConfig): RunnableConfig {
  const { thread_id, checkpoint_ns, checkpoint_id } = configurable ?? {};
  return {
    configurable: {
      thread_id,
      ...(checkpoint_ns === undefined ? {} : { checkpoint_ns }),
      ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
    },
  };
}
