import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // Examples import the package by its name; tests run them on the sources.
    alias: { "langgraph-postgres": fileURLToPath(new URL("src/index.ts", import.meta.url)) },
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // Processes, not threads: tests send signals, end backends and watch for unhandled rejections.
    pool: "forks",
    maxWorkers: 2,
    // Files share what they import: LangChain and the driver take longer to load than most files to run.
    isolate: false,
    // Database tests on a loaded 2-core machine; a test that needs more says so itself.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
