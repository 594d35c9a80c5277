#!/usr/bin/env node
/** The command `langgraph-postgres`. */
import { CommanderError } from "commander";
import { EXIT } from "./exit-codes.ts";
import { describeFailure } from "./failure.ts";
import { createProgram } from "./program.ts";

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      // Commander has printed what there is to say.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    const { text, exitCode } = describeFailure(error);
    if (text !== "") process.stderr.write(`${text}\n`);
    process.exitCode = exitCode;
  });
