/** stats: what the store holds, what it weighs, and what its operator might do. */
import type { Command } from "commander";
import { examples } from "../arguments.ts";
import { bytes, counted, moment, printable, textTable } from "../output.ts";
import { withStore } from "../run.ts";

export function addStatsCommand(program: Command): void {
  examples(
    program
      .command("stats")
      .description("show rows and bytes by table and index, the largest threads, and suggestions")
      .action((_: object, command: Command) =>
        withStore(command, async ({ storage, out }) => {
          const { stats } = await import("../../threads/stats.ts");
          const found = await stats(storage);
          const { logicalBytes, storedBytes, savedBytes } = found.deduplication;
          out.data(found, () =>
            [
              textTable(
                ["table", "rows", "dead", "size", "of it indexes", "vacuumed"],
                found.tables.map((one) => [
                  one.table,
                  one.exact ? one.rows : `~${one.rows}`,
                  one.deadRows,
                  bytes(one.bytes),
                  bytes(one.indexBytes),
                  one.vacuumedAt === null ? "never" : moment(one.vacuumedAt),
                ]),
              ),
              textTable(
                ["index", "size", "scans"],
                found.tables.flatMap(({ indexes }) =>
                  indexes.map((one) => [
                    one.valid ? one.name : `${one.name} INVALID`,
                    bytes(one.bytes),
                    one.scans,
                  ]),
                ),
              ),
              `Total ${bytes(found.bytes)}. Values that were put: ${bytes(logicalBytes)} in the threads looked at, stored as ${bytes(storedBytes)}; about ${bytes(savedBytes)} saved in all.`,
              `Expired and not removed yet: ${counted(found.expired.threads, "thread")}, ${counted(found.expired.checkpoints, "checkpoint")}.`,
              ...(found.largestThreads.length === 0
                ? []
                : [
                    textTable(
                      ["largest threads", "size"],
                      found.largestThreads.map((one) => [one.threadId, bytes(one.bytes)]),
                    ),
                  ]),
              ...found.suggestions.map(
                ({ message, sql }) => `* ${printable(message)}${sql ? `\n  ${sql};` : ""}`,
              ),
            ].join("\n\n"),
          );
        }),
      ),
    "stats --json",
  );
}
