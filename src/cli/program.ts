/** All commands and options, as `--help` shows them. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEncryptionCommand } from "./commands/encryption.ts";
import { addLookCommands } from "./commands/look.ts";
import { addRemovalCommands } from "./commands/removal.ts";
import { addSchemaCommands } from "./commands/schema.ts";
import { addStatsCommand } from "./commands/stats.ts";
import { addTransferCommands } from "./commands/transfer.ts";

const EXIT_CODES = `
Exit codes:
  0    done
  1    failed
  2    the command line makes no sense; nothing was done
  3    no such thread or checkpoint
  4    doctor found problems, or status found pending migrations
  5    not confirmed; nothing was done
  6    the server could not be reached
  130  Ctrl-C; ended at a clean point`;

export function createProgram(): Command {
  const program = new Command("langgraph-postgres")
    .description("Look after the checkpoints that LangGraph agents keep in PostgreSQL.")
    .version(packageVersion())
    .option("--url <url>", "connection string (default: DATABASE_URL, then the PG* variables)")
    .option("--embedded <folder>", "the folder of an embedded database, instead of a server")
    .option("--schema <name>", "schema of the tables", "langgraph")
    .option("--table <name>", "name of the checkpoint table", "checkpoints")
    .option("--json", "print data as JSON")
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .showHelpAfterError("(add --help for what can be said)")
    .addHelpText("after", EXIT_CODES)
    .exitOverride();
  addSchemaCommands(program);
  addDoctorCommand(program);
  addLookCommands(program);
  addRemovalCommands(program);
  addTransferCommands(program);
  addEncryptionCommand(program);
  addStatsCommand(program);
  return program;
}

function packageVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
