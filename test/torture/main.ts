/**
 * `npm run torture -- [--minutes N] [--only NAME] [--seed S] [--rounds N]`: every campaign for N minutes each
 * (default 1). What it counts goes to stdout, progress to stderr. Ends with 1 where something did not hold.
 */
import { parseArgs } from "node:util";
import { CAMPAIGNS } from "./campaigns.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    only: { type: "string" },
    seed: { type: "string" },
    rounds: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
const minutes = Number(values.minutes ?? (rounds === undefined ? 1 : 1e9));
const chosen = CAMPAIGNS.filter(({ name }) => values.only === undefined || values.only === name);
if (chosen.length === 0 || !(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(
    `usage: npm run torture -- [--minutes N] [--seed S] [--rounds N] [--only NAME]\n` +
      `names: ${CAMPAIGNS.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

// A promise that nobody waits for must not be what fails: in a user's process it would end everything.
process.on("unhandledRejection", (reason) => {
  process.stdout.write(`unhandled rejection: ${String(reason)}\n`);
  process.exitCode = 1;
});

for (const one of chosen) {
  const skipped = await one.skipped();
  if (skipped !== undefined) {
    process.stdout.write(`${one.name}: skipped, ${skipped}\n`);
    continue;
  }
  const started = performance.now();
  try {
    const counts = await one.run({
      seed,
      minutes,
      ...(rounds === undefined ? {} : { rounds }),
      log: (line) => process.stderr.write(`${line}\n`),
    });
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stdout.write(`${one.name}: seed ${seed}, ${seconds} s, ${JSON.stringify(counts)}\n`);
  } catch (error) {
    process.exitCode = 1;
    const shown: unknown[] = [];
    for (let at: unknown = error; at !== undefined; at = (at as Error).cause) {
      shown.push(at instanceof Error ? at.stack : at);
    }
    process.stdout.write(`${one.name}: FAILED, seed ${seed}\n${shown.join("\n")}\n`);
  }
}
