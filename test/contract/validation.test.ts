/** LangGraph's own validation suite, over every backend. */
import { deltaChannelHistoryTests, specTest } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostgresSaver } from "../../src/index.ts";
import { type Backend, backends, type OpenSaver, openSaver } from "./open-saver.ts";

// The suite takes these from the global scope, where this project's tests have nothing.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

function initializer(backend: Backend) {
  let open: OpenSaver;
  return {
    checkpointerName: `PostgresSaver on ${backend.name}`,
    beforeAllTimeout: 60_000,
    async beforeAll() {
      open = await openSaver(backend);
    },
    afterAll: () => open.close(),
    // A saver that has seen nothing, on the pool and tables of all: what a new process would be.
    createCheckpointer: () => open.empty(),
    // The suite counts what `list` finds in all threads, so each part must begin with no rows.
    async destroyCheckpointer(_: PostgresSaver) {
      await open.clear();
    },
  };
}

describe.each(backends)("$name", (backend) => {
  const suite = initializer(backend);
  specTest(suite);
  deltaChannelHistoryTests(suite);
});
