/**
 * Renews migrations/schema-manifest.json: what the migrations make, as the catalog tells it. Adds new migrations to
 * migrations/checksums.json, and never changes what stands there: databases have run those files as they are.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createDatabase, embedded, tableNames } from "../src/postgres/index.ts";
import { migrate, readManifest } from "../src/schema/index.ts";

const pool = await embedded("memory");
const db = createDatabase({ pool });
const names = tableNames("langgraph", "checkpoints");
await migrate(db, names);
const manifest = await readManifest(db, names);
const folder = new URL("../migrations/", import.meta.url);
const write = (name, content) =>
  writeFile(new URL(name, folder), `${JSON.stringify(content, null, 2)}\n`);
await write("schema-manifest.json", manifest);
await pool.end();

const frozen = await readFile(new URL("checksums.json", folder), "utf8").catch(() => "{}");
const checksums = JSON.parse(frozen);
for (const name of (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort()) {
  const text = await readFile(new URL(name, folder));
  checksums[name] ??= createHash("sha256").update(text).digest("hex");
}
await write("checksums.json", checksums);
