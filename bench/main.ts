/** `npm run bench`: the tables go to stdout, progress to stderr. */
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import { startDatabaseServer } from "./databases.ts";
import { type BenchOptions, HELP, parseOptions } from "./options.ts";
import { writePlots } from "./plots/write.ts";
import { type Result, toResult } from "./results.ts";
import { runWorkload } from "./run.ts";
import { type SaverProcess, startSaver } from "./saver-processes.ts";
import { toMarkdown } from "./table.ts";

const options = parseOptions(process.argv.slice(2));
if (options) await bench(options);
else process.stdout.write(HELP);

async function bench(options: BenchOptions): Promise<void> {
  const started = performance.now();
  const progress = (line: string): void => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(5);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  const server = await startDatabaseServer();
  const savers: SaverProcess[] = [];
  const results: Result[] = [];
  try {
    const starting = options.peers.map((name) => startSaver(name, server.url, progress));
    savers.push(...(await Promise.all(starting)));
    const machine = describeMachine(server.version);
    process.stdout.write(`${machine}\n\n`);
    for (const workload of options.workloads) {
      const { quick, chatRounds } = options;
      const rounds = workload.name === "chat" ? chatRounds : options.rounds;
      const scale = quick ? "quick" : "full";
      const runs = await runWorkload(workload, savers, { scale, rounds, progress });
      const result = toResult(runs);
      results.push(result);
      process.stdout.write(`${toMarkdown(result)}\n`);
    }
    if (options.json) {
      const json = { machine, date: new Date().toISOString(), quick: options.quick, results };
      await writeFile(options.json, `${JSON.stringify(json, null, 2)}\n`);
    }
    if (options.plots) {
      for (const file of await writePlots(results, options.plots)) progress(`wrote ${file}`);
    }
  } finally {
    for (const saver of savers) await saver.close();
    await server.stop();
  }
}

function describeMachine(postgres: string): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return (
    `PostgreSQL ${postgres}, fsync on, on the same machine; Node ${process.version}; ` +
    `${cpus().length} × ${cpu?.model.trim()}, ${memory} GiB`
  );
}
