/** migrate, status: the tables and their version. */
import type { Command } from "commander";
import type { Storage } from "../../storage/storage.ts";
import { examples, version } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandEnd } from "../failure.ts";
import { bytes, counted } from "../output.ts";
import { withStore } from "../run.ts";

interface MigrateFlags {
  readonly to?: number;
  readonly dryRun?: true;
  readonly allowDataLoss?: true;
  readonly yes?: true;
}

export function addSchemaCommands(program: Command): void {
  examples(
    program
      .command("migrate")
      .description("create the tables, or bring them to a version")
      .option("--to <version>", "the version to end at, up or down; 0 removes all tables", version)
      .option("--dry-run", "print the SQL and change nothing")
      .option("--allow-data-loss", "let a step down destroy rows")
      .option("--yes", "do not ask before a step down")
      .action((flags: MigrateFlags, command: Command) => migrate(flags, command)),
    "migrate",
    "migrate --dry-run > changes.sql",
  );
  examples(
    program
      .command("status")
      .description("show the version of the tables, what is to be migrated, and how much there is")
      .action((_: object, command: Command) => status(command)),
    "status",
  );
}

function migrate(
  { to, dryRun, allowDataLoss, yes }: MigrateFlags,
  command: Command,
): Promise<void> {
  return withStore(
    command,
    async ({ storage, out, signal }) => {
      const { planMigration } = await import("../../schema/schema-version.ts");
      const migrator = await import("../../schema/migrator.ts");
      const target = to === undefined ? {} : { to };
      const plan = await planMigration(storage.bare, storage.names, target);
      if (dryRun) {
        out.data(plan, () => plan.statements.map((sql) => `${sql};`).join("\n\n"));
        return;
      }
      const down = plan.steps.filter(({ direction }) => direction === "down").length;
      if (down > 0) {
        const what = `Migrating ${storage.names.checkpoints} down from version ${plan.from} to ${plan.to} takes ${counted(down, "step")} back.`;
        await confirm(what, { yes, signal });
      }
      const result = await migrator.migrate(storage.bare, storage.names, {
        ...target,
        allowDataLoss: allowDataLoss === true,
      });
      out.data(result, () =>
        [
          ...result.applied.map(
            (step) => `${step.direction === "up" ? "+" : "-"} ${step.version} ${step.name}`,
          ),
          `${storage.names.checkpoints} is at version ${result.to}${result.applied.length === 0 ? "; nothing was to be done" : ""}.`,
        ].join("\n"),
      );
    },
    { mayCreate: dryRun !== true },
  );
}

function status(command: Command): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const { getSchemaVersion, latestVersion, pendingMigrations } = await import(
      "../../schema/schema-version.ts"
    );
    const found = await getSchemaVersion(storage.bare, storage.names);
    const latest = await latestVersion();
    const pending = found > latest ? [] : await pendingMigrations(storage.bare, storage.names);
    const content = found === 0 ? undefined : await contentOf(storage);
    const { schemaName, tableName } = storage.names;
    out.data(
      { schema: schemaName, table: tableName, version: found, latest, pending, ...content },
      () =>
        [
          `tables      ${storage.names.checkpoints}`,
          `version     ${found === 0 ? "none: the tables do not exist" : `${found} of ${latest}`}`,
          ...(content === undefined
            ? []
            : [
                `threads     ${content.threads}`,
                `checkpoints ${content.checkpoints}${content.exact ? "" : " (estimated)"}`,
                `size        ${bytes(content.bytes)}`,
                `expired     ${counted(content.expired.threads, "thread")}, ${counted(content.expired.checkpoints, "checkpoint")} to be cleaned up`,
              ]),
          ...pending.map((step) => `pending     ${step.version} ${step.name}`),
        ].join("\n"),
    );
    if (pending.length > 0) {
      throw new CommandEnd(
        EXIT.attention,
        `${counted(pending.length, "migration")} pending. Run: langgraph-postgres migrate`,
      );
    }
    if (found > latest) {
      throw new CommandEnd(
        EXIT.attention,
        "the tables are newer than this langgraph-postgres. Update it.",
      );
    }
  });
}

async function contentOf(storage: Storage) {
  const { stats } = await import("../../threads/stats.ts");
  const { bytes: size, tables, expired } = await stats(storage);
  const of = (name: string) => tables.find(({ table }) => table === name);
  return {
    threads: of("threads")?.rows ?? 0,
    checkpoints: of("checkpoints")?.rows ?? 0,
    exact: of("checkpoints")?.exact === true,
    bytes: size,
    expired,
  };
}
