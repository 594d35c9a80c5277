/** Migrations that were released stay as they are: databases everywhere have run them. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MIGRATIONS_FOLDER } from "../../src/schema/migration-files.ts";

const read = (name: string): string => readFileSync(new URL(name, MIGRATIONS_FOLDER), "utf8");
const checksums: Readonly<Record<string, string>> = JSON.parse(read("checksums.json"));
const files = readdirSync(MIGRATIONS_FOLDER).filter((name) => name.endsWith(".sql"));

test.each(Object.entries(checksums))("%s is what it was", (name, checksum) => {
  const advice = `Databases have run ${name} as it was. Undo the change, and add a migration with the next number that makes it.`;
  expect(files, advice).toContain(name);
  expect(createHash("sha256").update(read(name)).digest("hex"), advice).toBe(checksum);
});

test("every migration is frozen", () => {
  const missing = files.filter((name) => !Object.hasOwn(checksums, name));
  expect(
    missing,
    "Run `npm run schema:manifest`: it adds new migrations to checksums.json.",
  ).toEqual([]);
});
