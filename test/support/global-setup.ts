/** Starts one server of each version for the whole run; tests make schemas of their own in it. */
import type { TestProject } from "vitest/node";
import { embeddedTemplate } from "./embedded-template.ts";
import { startServer } from "./postgres-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Connection strings by version of PostgreSQL. */
    postgres: Readonly<Record<"18" | "14", string>>;
    /** File that embedded databases in memory begin with. */
    embeddedTemplate: string;
  }
}

/** A server that stands in for 18, so that the suite can be run on every version. */
const given = process.env.TEST_POSTGRES_URL;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [newest, oldest, template] = await Promise.all([
    given ? { url: () => given, stop: async () => {} } : startServer({ version: "18" }),
    startServer({ version: "14" }),
    embeddedTemplate(),
  ]);
  project.provide("postgres", { "18": newest.url(), "14": oldest.url() });
  project.provide("embeddedTemplate", template);
  return async () => {
    await Promise.all([newest.stop(), oldest.stop()]);
  };
}
