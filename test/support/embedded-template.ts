/** An embedded database before its first use, in a file: every test process would make its own. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeTemplate } from "../../src/postgres/embedded-engine.ts";

/** The path of the file, which is made where it is missing and kept for later runs. */
export async function embeddedTemplate(): Promise<string> {
  const hash = createHash("sha256");
  // What decides about its contents: the version of PGlite, and how it is started.
  for (const source of [
    "../../node_modules/@electric-sql/pglite/package.json",
    "../../src/postgres/embedded-engine.ts",
  ]) {
    hash.update(await readFile(fileURLToPath(new URL(source, import.meta.url))));
  }
  const file = join(tmpdir(), `langgraph-postgres-embedded-${hash.digest("hex").slice(0, 16)}.tar`);
  if (!existsSync(file)) {
    const unfinished = `${file}.${process.pid}`;
    await writeFile(unfinished, Buffer.from(await (await makeTemplate()).arrayBuffer()));
    await rename(unfinished, file);
  }
  return file;
}
