/** A process of its own for embedded.test.ts: `node embedded-process.ts <template> <directory> <what to do>`. */
import { readFile } from "node:fs/promises";
import { useTemplate } from "../../src/postgres/embedded-engine.ts";
import { embedded } from "../../src/postgres/index.ts";

const [template = "", directory = "", what] = process.argv.slice(2);
useTemplate(() => readFile(template));
const pool = await embedded(directory);

if (what === "hold") {
  console.log("open");
  setInterval(() => {}, 1000);
} else if (what === "forget") {
  await pool.query("SELECT 1");
  console.log("done");
} else if (what === "write") {
  await pool.query("CREATE TABLE t (i int)");
  for (let i = 1; ; i += 1) {
    await pool.query("INSERT INTO t VALUES ($1)", [i]);
    // Acknowledged: what is printed was committed before.
    console.log(i);
  }
}
