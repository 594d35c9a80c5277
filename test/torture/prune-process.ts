/** Prunes everything again and again until its input ends, in a process of its own; prints what it did. */
import { createPool } from "../../src/index.ts";
import { prune } from "../../src/retention/prune.ts";
import { openStorage } from "../../src/storage/storage.ts";

const { connString, schema } = JSON.parse(process.argv[2] ?? "{}");
const pool = createPool({ connString, maxConns: 1 });
const storage = openStorage({ pool, owned: true, settings: { schema } });
let going = true;
process.stdin.on("end", () => {
  going = false;
});
process.stdin.resume();
let examined = 0;
let checkpoints = 0;
do {
  const report = await prune(storage, { all: true, keepLast: 2 });
  examined += report.examined;
  checkpoints += report.checkpoints;
} while (going);
await storage.close();
process.stdout.write(JSON.stringify({ examined, checkpoints }));
