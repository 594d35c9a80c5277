/** doctor: is all as it should be, and what to do where it is not. */
import type { Command } from "commander";
import { LangGraphPostgresError } from "../../errors.ts";
import { examples } from "../arguments.ts";
import type { GlobalOptions } from "../connection.ts";
import type { Examined, Finding } from "../doctor-checks.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandEnd } from "../failure.ts";
import { counted, paint, printable } from "../output.ts";
import { withStore } from "../run.ts";

export function addDoctorCommand(program: Command): void {
  examples(
    program
      .command("doctor")
      .description("check server, rights and tables, and say what to do about each problem")
      .action((_: object, command: Command) => doctor(command)),
    "doctor",
  );
}

const MARKS = { ok: "ok     ", warning: "warning", problem: "PROBLEM" } as const;
const COLOURS = { ok: "green", warning: "yellow", problem: "red" } as const;

function doctor(command: Command): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const { CHECKS } = await import("../doctor-checks.ts");
    const isServer = command.optsWithGlobals<GlobalOptions>().embedded === undefined;
    const findings: Finding[] = [];
    for (const [check, run] of Object.entries(CHECKS)) {
      const found = await attempt(run, { storage, isServer });
      if (found instanceof Error && check === "reachable") throw found;
      findings.push(
        ...(found instanceof Error
          ? [{ check, state: "problem" as const, found: `could not be asked: ${found.message}` }]
          : found.map((one) => ({ check, ...one }))),
      );
    }
    out.data(findings, () =>
      findings
        .map(({ check, state, found, advice }) =>
          [
            `${paint(COLOURS[state], MARKS[state])}  ${check}: ${printable(found)}`,
            ...(advice === undefined ? [] : [`         → ${printable(advice)}`]),
          ].join("\n"),
        )
        .join("\n"),
    );
    const problems = findings.filter(({ state }) => state === "problem").length;
    if (problems > 0)
      throw new CommandEnd(EXIT.attention, `${counted(problems, "problem")} found.`);
  });
}

async function attempt(
  run: (examined: Examined) => Promise<Omit<Finding, "check">[]>,
  examined: Examined,
): Promise<Omit<Finding, "check">[] | LangGraphPostgresError> {
  try {
    return await run(examined);
  } catch (error) {
    if (error instanceof LangGraphPostgresError) return error;
    throw error;
  }
}
