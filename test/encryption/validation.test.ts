/** LangGraph's own validation suite, on an encrypted store. Its filters are on "source" and on keys of its own. */
import { deltaChannelHistoryTests, specTest } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PostgresSaver } from "../../src/index.ts";
import { newest, type OpenSaver, openSaver } from "../contract/open-saver.ts";
import { under } from "./material.ts";

// The suite takes these from the global scope, where this project's tests have nothing.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

describe("encrypted", () => {
  let open: OpenSaver;
  const suite = {
    checkpointerName: "an encrypted PostgresSaver",
    beforeAllTimeout: 60_000,
    async beforeAll() {
      open = await openSaver(newest);
    },
    afterAll: () => open.close(),
    createCheckpointer: () =>
      new PostgresSaver(open.pool, undefined, {
        schema: open.schema,
        ...under(["a"], { plainMetadata: ["source", "step", "parents"] }),
      }),
    async destroyCheckpointer(_: PostgresSaver) {
      await open.clear();
    },
  };
  specTest(suite);
  deltaChannelHistoryTests(suite);
});
