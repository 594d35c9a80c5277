/** An import in a process of its own, to be killed; it prints the id of each thread that is done. */
import { createPool } from "../../src/index.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { importOfficial } from "../../src/transfer/import-official.ts";

const { connString, schema, from, threads } = JSON.parse(process.argv[2] ?? "{}");
const storage = openStorage({
  pool: createPool({ connString }),
  owned: true,
  settings: { schema },
});
await importOfficial(storage, {
  schema: from,
  threads,
  onProgress: ({ threadId }) => void process.stdout.write(`${threadId}\n`),
});
await storage.close();
